/** Which service templates there shall be, how each is, and when there is time to make one. */
import type { MachineRecord, TemplateRecord } from '../../registrar/records.ts';
import { imageOfService } from '../../specs/image-reference.ts';
import type { Environment } from '../../specs/nouns.ts';
import { warmVersions } from '../../specs/service-template.ts';
import type { ServiceTemplate } from '../../vm-factory/provider.ts';
import type { PlannerMemory } from './memory.ts';
import type { Plan } from './plan.ts';
import type { Snapshot } from './snapshot.ts';
import { isInTheMaking, isRecent } from './under-way.ts';

export function wantedTemplates(environment: Environment): ServiceTemplate[] {
  const { flavor } = environment.pool;
  return warmVersions(environment).map(({ service, version, template }) => {
    const { name, config, warm } = service;
    const signal = warm?.signal;
    const order = { template, service: name, version, config, ...(signal === undefined ? {} : { signal }) };
    return { order, image: imageOfService(environment, service), ...(flavor === undefined ? {} : { flavor }) };
  });
}

/** Nothing that somebody waits for is being made or started: a template takes the processor for some seconds. */
export function isTimeForTemplates(
  { machines }: Pick<Snapshot, 'machines'>,
  { actions }: Pick<Plan, 'actions'>,
  memory: PlannerMemory,
  now: number,
): boolean {
  const acts = actions.some(({ kind }) => kind === 'create' || kind === 'claim');
  const comes = (record: MachineRecord) => isInTheMaking(record) || (record.state === 'claimed' && !record.served);
  return !acts && !machines.some(({ record }) => comes(record) && isRecent(record, memory, now));
}

/** For /pool. `states`: as the provider said; null: it has no service templates. */
export function templateRecords(
  environment: Environment,
  states: Snapshot['templates'],
  provider: string,
): TemplateRecord[] {
  return warmVersions(environment).map(({ service, version, template }) => {
    const id = { service: service.name, version: version.version, template };
    if (states === null) {
      const reason = `warm has no effect: machines of the provider ${provider} can't be cloned with a service in them`;
      return { ...id, state: 'impossible', reason };
    }
    const { state, reason } = states?.[template] ?? { state: 'waiting' as const, reason: 'not looked at yet' };
    return { ...id, state, reason: reason.slice(0, longestReason) };
  });
}

/** Reasons are for people, and the node is small. */
const longestReason = 300;
