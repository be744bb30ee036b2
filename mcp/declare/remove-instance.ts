/** `mcp scale SERVICE --remove MACHINE`: a person says who goes, and no policy. */
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { compareEnvironments } from '../../specs/compare-environments.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment, Service } from '../../specs/nouns.ts';
import type { ObservedMachine } from '../plan/snapshot.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { underWay } from '../rollout/start-rollout.ts';
import type { RegistryPart } from '../view/status-view.ts';
import { type Applied, applyEnvironment } from './apply-environment.ts';
import { type Author, found } from './change-version.ts';
import { machineNamed } from './name-machine.ts';
import { tellToGo, toldToGo } from './operator-words.ts';
import { scaled } from './scale.ts';

/**
 * Tells the instance to go: in the ledger, and unless it is to be replaced with a count of one less, in one write. It leaves as
 * any does, drained and within the guards. Errors: USAGE_UNKNOWN_NAME, USAGE_UNKNOWN_MACHINE, USAGE_AMBIGUOUS_MACHINE;
 * REFUSED_MACHINE where it is not one of the service's or can't be told to go; REFUSED_ROLLOUT while the service is rolled out;
 * those of `applyEnvironment`.
 */
export async function removeInstance(
  client: RegistryClient,
  registry: RegistryPart,
  what: { service: string; machine: string; replace: boolean },
  options: Author & { confirmed: boolean },
): Promise<Applied & { machine: string }> {
  const { record, version } = instanceToRemove(registry, what);
  const declared = registry.declared?.record;
  if (!declared) throw new McpError('USAGE_NOTHING_DECLARED', 'nothing is declared yet', { hint: 'mcp apply -f FILE' });
  const { author, at } = options;
  const reason = options.reason || `scale ${what.service} --remove ${what.machine}${what.replace ? ' --replace' : ''}`;
  if (!what.replace) {
    const environment = oneLess(declared.environment, what.service, record.claim?.version ?? '');
    const expectGeneration = declared.generation;
    const alongside = toldToGo({ record, version }, { author, reason: options.reason, at }, registry.epoch);
    const given = { author, reason, at, confirmed: options.confirmed, expectGeneration, alongside };
    return { ...(await applyEnvironment(client, environment, given)), machine: record.uuid };
  }
  const { generation, environment } = declared;
  await tellToGo(client, record.uuid, { author, reason: options.reason, at });
  return {
    generation,
    changed: true,
    diff: compareEnvironments(environment, environment),
    rollouts: [],
    machine: record.uuid,
  };
}

/** The machine, as the ledger has it; or why it can't be told to go. Pure. */
export function instanceToRemove(
  registry: RegistryPart,
  { service: name, machine: id }: { service: string; machine: string },
): ObservedMachine {
  const { declared: service, rollout } = found(registry, name);
  const machine = machineNamed(registry.machines, ({ record }) => record.uuid, id);
  const { uuid, claim, state, protected: word, toLeave } = machine.record;
  const refuse = (why: string, hint: string) => {
    throw new McpError('REFUSED_MACHINE', `machine ${uuid} ${why}`, {
      hint,
      details: { machine: uuid, service: name },
    });
  };
  if (!claim) refuse(`runs no service: it is ${state}`, `\`mcp machines\` shows which run ${name}.`);
  if (claim?.service !== name)
    refuse(`runs ${claim?.service}, not ${name}`, `mcp scale ${claim?.service} --remove ${id}`);
  if (state !== 'claimed') refuse(`leaves already: it is ${state}`, `mcp machines ${id} shows why.`);
  if (toLeave) refuse(`was told to go already, by ${toLeave.by}`, `mcp why ${name} shows what it waits for.`);
  if (word) refuse(`is protected by ${word.by}${word.reason && `: ${word.reason}`}`, `mcp machines unprotect ${id}`);
  if (rollout && isActive(rollout)) throw underWay(rollout);
  if (!runs(service, claim)) refuse('runs what is not declared any more', 'It goes by itself as soon as it may.');
  return machine;
}

function runs({ versions }: Service, claim: ObservedMachine['record']['claim']): boolean {
  return versions.some(
    ({ version, digest, count }) => version === claim?.version && digest === claim.digest && count > 0,
  );
}

function oneLess(environment: Environment, service: string, version: string): Environment {
  const versions = environment.services.find(({ name }) => name === service)?.versions ?? [];
  const count = versions.find((one) => one.version === version)?.count ?? 0;
  return scaled(environment, `${service}@${version}`, Math.max(0, count - 1));
}
