/** The links of `mcp why` between the plan and the registrations: claims, machines, their agents, what these check. Pure. */
import type { AgentPhase, TemplateRecord } from '../../registrar/records.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import type { ObservedMachine } from '../plan/snapshot.ts';
import { operatorWords } from './machine-view.ts';
import type { ControllerWords, RegistryPart } from './status-view.ts';
import { waitsForMachines } from './waits.ts';
import type { Link } from './why-link.ts';

/** Each instance has a machine of its own. */
export function claimsLink(service: Service, registry: RegistryPart, { waiting, alarms }: ControllerWords): Link {
  const short = service.versions.flatMap((version) => {
    const claimed = claimsOf(service, version, registry).length + strangersOf(service, version, registry);
    return claimed < version.count ? [`${version.version}: ${claimed} of ${version.count} machines claimed`] : [];
  });
  const ready = registry.machines.filter(({ record }) => record.state === 'ready').length;
  const templates = (registry.pool?.record?.templates ?? []).filter((one) => one.service === service.name);
  const words = templates.map(({ version, state, reason }) => `${version} ${templateWords(state, reason)}`);
  if (short.length === 0) {
    const counts = service.versions.map(({ version, count }) => `${version}: ${count} of ${count} machines claimed`);
    return { link: 'claims', ok: true, evidence: [...counts, ...words] };
  }
  // Their machines were given up as their services did not start: no claim is what is wrong.
  if (short.length <= failingStarts(service, registry).length)
    return { link: 'claims', ok: true, evidence: [...short, ...words] };
  const why = [
    ...waiting.filter((one) => one.service === service.name && waitsForMachines(one)).map((one) => one.why),
    ...waiting.filter(({ what }) => what === 'pool').map((one) => `pool waits: ${one.why}`),
    ...alarms.filter(({ code }) => code.startsWith('POOL_')).map(({ code, message }) => `alarm ${code}: ${message}`),
  ];
  const evidence = [...short, `${ready} ready in the pool`, ...why, ...words];
  return { link: 'claims', ok: false, evidence, try: 'mcp pool' };
}

/** How a version's service template is, as part of a sentence. */
export function templateWords(state: TemplateRecord['state'], reason: string): string {
  if (state === 'ready') return 'has a service template';
  if (state === 'impossible') return `has no service template: ${reason}`;
  return `has no service template yet (${state}): ${reason}`;
}

/** Each of these lives: its agent is in the registry. */
export function machinesLink(service: Service, registry: RegistryPart): Link {
  const claimed = claimedFor(service, registry);
  const away = claimed.filter(({ agent }) => agent === null);
  if (away.length === 0) return { link: 'machines', ok: true, evidence: claimed.map(story) };
  const evidence = away.map((machine) => `${story(machine)}: has no agent, it may be dead or cut off`);
  return { link: 'machines', ok: false, evidence, try: `mcp machines ${idOf(away)}` };
}

const checking: ReadonlySet<AgentPhase> = new Set(['checking', 'unhealthy']);

/** Their agents got the service running. */
export function agentsLink(service: Service, registry: RegistryPart): Link {
  const bad = ({ agent }: ObservedMachine) => agent !== null && agent.phase !== 'serving' && !checking.has(agent.phase);
  const found = wordsOfAgents('agents', claimedFor(service, registry), bad, 'mcp machines');
  const failing = failingStarts(service, registry);
  if (failing.length === 0) return found;
  const next = 'correct what fails and mcp apply -f FILE, or mcp pool retry; what serves goes on meanwhile';
  return { link: 'agents', ok: false, evidence: [...failing, ...found.evidence], try: next };
}

/** Of each version that lacks instances and whose last starts failed: how often, and why. */
function failingStarts(service: Service, registry: RegistryPart): string[] {
  const starts = registry.pool?.record?.starts ?? {};
  return service.versions.flatMap((version) => {
    const failed = starts[version.digest];
    const claimed = claimsOf(service, version, registry).length + strangersOf(service, version, registry);
    if (!failed || failed.inARow === 0 || claimed >= version.count) return [];
    const often = failed.inARow === 1 ? 'the last start failed' : `the last ${failed.inARow} starts failed`;
    return [`${version.version}: ${often}: ${failed.lastReason}`];
  });
}

/** What runs passes its health check. */
export function healthLink(service: Service, registry: RegistryPart): Link {
  const bad = ({ agent }: ObservedMachine) => agent !== null && checking.has(agent.phase);
  return wordsOfAgents('health', claimedFor(service, registry), bad, 'mcp machines console');
}

function wordsOfAgents(
  link: 'agents' | 'health',
  claimed: readonly ObservedMachine[],
  isBad: (machine: ObservedMachine) => boolean,
  command: string,
): Link {
  const bad = claimed.filter(isBad);
  const told = bad.length > 0 ? bad : claimed.filter(({ agent }) => agent !== null);
  const evidence = told.map(
    ({ record, agent }) => `${record.uuid} ${agent?.phase ?? ''}${agent?.reason ? `: ${agent.reason}` : ''}`,
  );
  return bad.length === 0
    ? { link, ok: true, evidence }
    : { link, ok: false, evidence, try: `${command} ${idOf(bad)}` };
}

function idOf(machines: readonly ObservedMachine[]): string {
  return machines[0]?.record.uuid.slice(0, 8) ?? '';
}

function claimedFor(service: Service, { machines }: RegistryPart): ObservedMachine[] {
  return machines.filter(({ record }) => record.claim?.service === service.name && record.state === 'claimed');
}

function claimsOf(service: Service, version: Version, registry: RegistryPart): ObservedMachine[] {
  return claimedFor(service, registry).filter(({ record }) => record.claim?.version === version.version);
}

/** Instances that registered by themselves, on machines that are not ours. */
function strangersOf(service: Service, version: Version, registry: RegistryPart): number {
  const ours = new Set(registry.machines.map(({ record }) => record.uuid));
  return registry.registrations.filter(
    ({ record }) => record.service === service.name && record.version === version.version && !ours.has(record.machine),
  ).length;
}

function story({ record }: ObservedMachine): string {
  const { uuid, state, claim, address = 'no address yet' } = record;
  const how = claim?.warm ? ', from its service template' : '';
  const said = operatorWords(record);
  return `${uuid} ${state} for ${claim?.version ?? '-'} at ${address}${how}${said && `, ${said}`}`;
}
