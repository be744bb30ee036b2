/**
 * `mcp why SERVICE`: walks from the declaration to the merged document and names the first broken link, with its evidence and
 * the next thing to try. Pure.
 */
import type { DesiredRecord, ForeignWord } from '../../registrar/records.ts';
import type { WaitingRecord } from '../../registrar/status-records.ts';
import { nearMiss } from '../../specs/near-miss.ts';
import type { Service } from '../../specs/nouns.ts';
import type { Alarm } from '../plan/plan.ts';
import { type ControllerWords, foreignWords, type RegistryPart } from './status-view.ts';
import { concerns, goesOn } from './waits.ts';
import {
  foreignDeclaration,
  foreignEvidence,
  foreignRegistrations,
  foreignServices,
  leftOutOf,
} from './why-foreign.ts';
import type { Link } from './why-link.ts';
import { agentsLink, claimsLink, healthLink, machinesLink } from './why-machines.ts';

export interface WhyView {
  service: string;
  /** The first link that is not ok; null where all is well. */
  broken: Link['link'] | null;
  links: Link[];
}

/** What a gateway says of a service's document; null where no gateway could be asked. */
export interface DocumentWord {
  version: string;
  stale: boolean;
  problem: string;
}

export interface WhyInput {
  registry: RegistryPart;
  controller: ControllerWords;
  documents: DocumentWord[] | null;
}

/** The walk for one service. A service that nothing is known of has a broken declaration. */
export function whyService(name: string, { registry, controller, documents }: WhyInput): WhyView {
  const desired = registry.desired?.record ?? null;
  const service = desired?.environment.services.find((candidate) => candidate.name === name) ?? null;
  const foreign = foreignServices(name, desired);
  if (!service && desired && foreign.length > 0) {
    const document = foreign.find((one) => one.document !== undefined)?.document;
    return walked(name, [
      { link: 'declaration', ...foreignDeclaration(foreign, desired) },
      { link: 'registrations', ...foreignRegistrations(wordsOf(name, registry), registry) },
      routesLink({ name }, registry),
      ...(document === undefined ? [] : [documentLink({ name, document }, documents, registry)]),
    ]);
  }
  const declaration = declarationLink(name, service, desired);
  if (!service) return walked(name, [declaration]);
  return walked(name, [
    declaration,
    controllerLink(name, registry, controller),
    claimsLink(service, registry, controller),
    machinesLink(service, registry),
    agentsLink(service, registry),
    healthLink(service, registry),
    registrationsLink(service, registry),
    routesLink(service, registry),
    ...(service.document ? [documentLink(service, documents, registry)] : []),
  ]);
}

function walked(service: string, links: Link[]): WhyView {
  return { service, broken: links.find(({ ok }) => !ok)?.link ?? null, links };
}

function wordsOf(name: string, registry: RegistryPart): ForeignWord[] {
  return foreignWords(registry).filter(({ service }) => service === name);
}

function declarationLink(name: string, service: Service | null, desired: DesiredRecord | null): Link {
  if (!desired) return { link: 'declaration', ok: false, evidence: ['nothing is declared'], try: 'mcp apply -f FILE' };
  if (!service) {
    const foreign = (desired.environment.gateway.registries ?? []).flatMap(({ services }) => services);
    const known = [
      ...new Set([
        ...desired.environment.services.map((candidate) => candidate.name),
        ...foreign.map((one) => one.service),
      ]),
    ];
    const near = nearMiss(name, known);
    const declares = `generation ${desired.generation} declares no service ${name}; it declares ${known.join(', ') || 'none'}`;
    return near === undefined
      ? { link: 'declaration', ok: false, evidence: [declares], try: 'mcp apply -f FILE' }
      : { link: 'declaration', ok: false, evidence: [declares, `did you mean "${near}"?`], try: `mcp why ${near}` };
  }
  const counts = service.versions.map(({ version, count }) => `${version} x${count}`).join(', ');
  return {
    link: 'declaration',
    ok: true,
    evidence: [
      `generation ${desired.generation} by ${desired.author} declares ${counts || 'no version'} at ${service.route}`,
    ],
  };
}

function controllerLink(name: string, registry: RegistryPart, controller: ControllerWords): Link {
  const mine = controller.waiting.filter((entry) => concerns(entry, name));
  const evidence = [
    controller.leader ? `${controller.leader} leads in epoch ${registry.epoch}` : 'no controller leads',
    ...(registry.suspended.record.suspended
      ? [`suspended by ${registry.suspended.record.by}: ${registry.suspended.record.reason}`]
      : []),
    ...mine.filter(({ cause }) => cause !== 'suspended').map(({ what, why }) => `${what} waits: ${why}`),
    ...alarmsOf(controller).map((alarm: Alarm) => `alarm ${alarm.code}: ${alarm.message}`),
  ];
  const suspended = registry.suspended.record.suspended;
  const ok = controller.leader !== null && !suspended && mine.every(goesOn);
  if (ok) return { link: 'controller', ok, evidence };
  return {
    link: 'controller',
    ok,
    evidence,
    try: nextStep(suspended, controller, mine),
  };
}

function nextStep(suspended: boolean, { leader }: ControllerWords, waiting: readonly WaitingRecord[]): string {
  if (suspended) return 'mcp resume';
  if (leader === null) return 'mcp up';
  const isProtected = waiting.some(({ cause }) => cause === 'protected');
  return isProtected ? 'mcp machines unprotect MACHINE, one of those named' : 'mcp watch';
}

/** Starts that fail are told with the agents that failed. */
function alarmsOf({ alarms }: ControllerWords): Alarm[] {
  return alarms.filter(({ code }) => code !== 'START_FAILING');
}

function registrationsLink(service: Service, registry: RegistryPart): Link {
  const live = (version: string) =>
    registry.registrations.filter(
      ({ record }) => record.service === service.name && record.version === version && record.state === 'up',
    ).length;
  const evidence = service.versions.map(
    ({ version, count }) => `${version}: ${live(version)} of ${count} registered and healthy`,
  );
  const own = new Map(registry.rejected.map(({ path, reason }) => [path, reason]));
  const rejected = [
    ...registry.rejected,
    // What the controller leaves out for the same reason is said once.
    ...registry.gateways.flatMap((gateway) =>
      gateway.rejected
        .filter(({ path, reason }) => own.get(path) !== reason)
        .map(({ path, reason }) => ({ path, reason: `gateway ${gateway.id}: ${reason}` })),
    ),
  ].filter(({ path }) => path.startsWith(`/services/${service.name}/`));
  const ok = service.versions.every(({ version, count }) => live(version) >= count) && rejected.length === 0;
  const foreign = wordsOf(service.name, registry);
  const all = [
    ...evidence,
    ...foreign.flatMap(foreignEvidence),
    ...rejected.map(({ path, reason }) => `left out ${path}: ${reason}`),
    ...leftOutOf(foreign, registry),
  ];
  return ok
    ? { link: 'registrations', ok, evidence: all }
    : { link: 'registrations', ok, evidence: all, try: whoRegisters(rejected[0]?.path, registry) };
}

function whoRegisters(path: string | undefined, { machines }: RegistryPart): string {
  if (path === undefined) return 'mcp machines';
  const uuid = path.slice(path.lastIndexOf('/') + 1);
  const isOurs = machines.some(({ record }) => record.uuid === uuid);
  return isOurs ? `mcp machines ${uuid.slice(0, 8)}` : `look for what registers ${path}: it is no machine of ours`;
}

function routesLink(service: Pick<Service, 'name'>, registry: RegistryPart): Link {
  const newest = Math.max(
    0,
    ...registry.registrations.filter(({ record }) => record.service === service.name).map(({ mzxid }) => mzxid),
  );
  const evidence = registry.gateways.map((gateway) => {
    const behind = gateway.served.asOf < newest ? ' and has not yet seen the last change' : '';
    return `${gateway.id} serves generation ${gateway.served.generation}${behind}${gateway.holding ? `, holding: ${gateway.holding}` : ''}`;
  });
  const ok =
    registry.gateways.length > 0 &&
    registry.gateways.every((gateway) => gateway.served.asOf >= newest && !gateway.holding);
  if (ok) return { link: 'routes', ok, evidence };
  return {
    link: 'routes',
    ok,
    evidence: evidence.length > 0 ? evidence : ['no gateway is registered'],
    try: evidence.length > 0 ? 'mcp status' : 'mcp up',
  };
}

function documentLink(
  { name, document }: Pick<Service, 'name' | 'document'>,
  documents: DocumentWord[] | null,
  { registrations }: RegistryPart,
): Link {
  if (documents === null)
    return { link: 'document', ok: false, evidence: ['no gateway could be asked'], try: 'mcp status' };
  const evidence = documents.map(
    ({ version, stale, problem }) =>
      `${version}: ${problem || (stale ? 'stale' : 'fresh')}${problem && stale ? ' (no fresh one since)' : ''}`,
  );
  const ok = documents.length > 0 && documents.every(({ stale, problem }) => !stale && problem === '');
  if (ok) return { link: 'document', ok, evidence };
  const bad = documents.find(({ stale, problem }) => stale || problem !== '')?.version;
  const instances = registrations.filter(({ record }) => record.service === name && record.state === 'up');
  const { address, port } = (instances.find(({ record }) => record.version === bad) ?? instances[0])?.record ?? {};
  return {
    link: 'document',
    ok,
    evidence: evidence.length > 0 ? evidence : [`no document was read at ${document} of any instance`],
    try: address === undefined ? 'mcp status' : `curl -i http://${address}:${port}${document}`,
  };
}
