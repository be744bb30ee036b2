/** Upgrade, undo and abort: a new declaration and the rollout that makes it true, in one write. */
import { randomUUID } from 'node:crypto';
import { paths } from '../../registrar/layout.ts';
import { listHistory, publishDesired, readHistory } from '../../registrar/recipes/desired-document.ts';
import { eventOp } from '../../registrar/recipes/event-log.ts';
import { type Versioned, writeAttempts } from '../../registrar/recipes/versioned-document.ts';
import type { DesiredRecord } from '../../registrar/records.ts';
import type { MultiOp, RegistryClient } from '../../registrar/registry-client.ts';
import type { RolloutOrder, RolloutRecord } from '../../registrar/rollout-records.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import { readService } from '../../registrar/store/read-service.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { didYouMean } from '../../specs/near-miss.ts';
import type { RolloutSettings, Service, Version } from '../../specs/nouns.ts';
import { leavesNoRoom, rolloutSettings } from '../../specs/rollout-settings.ts';
import { comesAfter } from '../../specs/service-order.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { type SeenMachines, seenInstances } from '../rollout/seen-instances.ts';
import { namesOf } from '../rollout/sides.ts';
import { startRollout } from '../rollout/start-rollout.ts';
import { requireForward } from '../rollout/steer-rollout.ts';
import { turnBack } from '../rollout/transitions.ts';
import { undoTarget } from '../rollout/undo-target.ts';
import type { RegistryPart } from '../view/status-view.ts';

export interface Author {
  author: string;
  /** Empty: the command itself is the reason. */
  reason: string;
  /** ms since the Unix epoch. */
  at: number;
  /** Id of what is begun; made here where there is none. */
  operation?: string;
}

/** What of the registry a change is decided by. */
type ChangePart = Pick<RegistryPart, 'declared' | 'rollouts' | 'epoch'> & SeenMachines;

export interface VersionChange {
  /** The rollout as it was written; null where there was nothing to do. */
  rollout: RolloutRecord | null;
  /** The generation that is declared now. */
  generation: number;
}

/**
 * Begins a rolling upgrade to `to`; it waits where a service that it comes after is being rolled out. Errors: those of startRollout;
 * USAGE_UNKNOWN_NAME; USAGE_BAD_OPTION where neither more nor fewer instances are allowed meanwhile; GENERATION_STALE where somebody declared
 * something meanwhile; WRITE_CONFLICT where somebody began another rollout.
 */
export async function upgrade(
  client: RegistryClient,
  registry: RegistryPart,
  service: string,
  to: Version,
  settings: Partial<RolloutSettings>,
  author: Author,
): Promise<VersionChange> {
  const { declared } = found(registry, service);
  const wanted = rolloutSettings(declared, settings);
  if (leavesNoRoom(wanted)) {
    throw new McpError('USAGE_BAD_OPTION', 'surge and unavailable are both 0: nothing could ever move', {
      hint: 'Let more run meanwhile (--surge 1), or fewer (--unavailable 1).',
    });
  }
  return start(client, registry, service, [to], 'upgrade', wanted, {
    ...author,
    reason: author.reason || `upgrade ${service} --to ${to.version}`,
  });
}

/**
 * Back to what ran before: where its machines still live, by this very write, as it moves the weights; else as a rolling
 * upgrade. A rollout under way is aborted. REFUSED_NOTHING_BEFORE where nothing else ever ran.
 */
export function rollback(client: RegistryClient, service: string, author: Author): Promise<VersionChange> {
  return takeBack(client, service, (registry) => rollBack(client, registry, service, author));
}

/** Turns a rollout under way back. REFUSED_ROLLOUT where none goes forward. */
export function abort(client: RegistryClient, service: string, author: Author): Promise<VersionChange> {
  return takeBack(client, service, (registry) => turn(client, registry, service, author));
}

/** What the controller writes between our look and our write is no reason to fail: then we look again. */
async function takeBack(
  client: RegistryClient,
  service: string,
  act: (registry: ChangePart) => Promise<VersionChange>,
): Promise<VersionChange> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await act(await readService(client, service));
    } catch (error) {
      if (!isMcpError(error, 'WRITE_CONFLICT') || tries === writeAttempts) throw error;
    }
  }
}

async function rollBack(
  client: RegistryClient,
  registry: ChangePart,
  service: string,
  author: Author,
): Promise<VersionChange> {
  const { declared, rollout } = found(registry, service);
  if (rollout && isActive(rollout)) return turn(client, registry, service, author);
  // Where a rollout tells, undo does not wait for the whole history to be read.
  const to = undoTarget(declared, rollout, []) ?? undoTarget(declared, rollout, await readGenerations(client));
  if (!to) {
    throw new McpError('REFUSED_NOTHING_BEFORE', `nothing else than what runs now ever ran as ${service}`, {
      hint: 'See mcp history.',
    });
  }
  return start(client, registry, service, to, 'undo', rolloutSettings(declared), {
    ...author,
    reason: author.reason || `rollback to ${namesOf(to)}`,
  });
}

async function turn(
  client: RegistryClient,
  registry: ChangePart,
  service: string,
  author: Author,
): Promise<VersionChange> {
  const { declared, rollout } = found(registry, service);
  if (!rollout) throw noRollout(service);
  requireForward(rollout);
  const why = author.reason || 'aborted by an operator';
  const cause = { by: author.author, why, now: author.at, evidence: [] };
  const turned = turnBack(rollout, declared, { instances: seenInstances(registry, service) }, cause);
  return write(client, registry, turned.record, turned.redeclare, { ...author, reason: `abort: ${why}` }, 'reverting');
}

async function start(
  client: RegistryClient,
  registry: ChangePart,
  service: string,
  to: Version[],
  kind: RolloutRecord['kind'],
  settings: RolloutSettings,
  { author, reason, at, operation = randomUUID() }: Author,
): Promise<VersionChange> {
  const { declared, rollout } = found(registry, service);
  const instances = seenInstances(registry, service);
  const begun = startRollout({
    service: declared,
    previous: rollout,
    kind,
    to,
    settings,
    instances,
    // What runs is restored at once; what is new waits for its turn.
    ...(kind === 'upgrade' ? turnAfter(registry, service) : {}),
    operation,
    by: author,
    reason,
    at,
  });
  if (!begun) return { rollout: null, generation: registry.declared?.record.generation ?? 0 };
  const event = begun.record.phase === 'waiting' ? 'waiting' : 'started';
  return write(client, registry, begun.record, begun.service, { author, reason, at }, event);
}

/** The rollouts under way of the services that it comes after (`after:`); nothing where there are none. */
function turnAfter({ declared, rollouts }: ChangePart, service: string): { order?: RolloutOrder } {
  const first = comesAfter(declared?.record.environment.services ?? [], service);
  const after = Object.values(rollouts)
    .filter(({ record }) => first.has(record.service) && isActive(record))
    .map(({ record }) => ({ service: record.service, operation: record.operation }));
  return after.length > 0 ? { order: { after, others: [] } } : {};
}

async function write(
  client: RegistryClient,
  registry: ChangePart,
  record: RolloutRecord,
  service: Service,
  { author, reason, at }: Author,
  event: string,
): Promise<VersionChange> {
  const { declared } = found(registry, service.name);
  const known = registry.declared as Versioned<DesiredRecord>;
  const current = known.record;
  const services = current.environment.services.map((one) => (one === declared ? service : one));
  const published = await publishDesired(client, {
    environment: { ...current.environment, services },
    author,
    reason,
    // The rollout itself gives up instances as it comes to them.
    allowance: {},
    expectGeneration: current.generation,
    known,
    at,
    alongside: [rolloutOp(registry, record), rolloutEvent(record, event, { author, reason, at }, registry.epoch)],
  });
  return { rollout: record, generation: published.generation };
}

/** Writes the record at the version at which it was read. */
export function rolloutOp(registry: Pick<RegistryPart, 'rollouts'>, record: RolloutRecord): MultiOp {
  const path = paths.rollout(record.service);
  const data = encode(codecs.rollout, record);
  const version = registry.rollouts[record.service]?.version;
  return version === undefined ? { op: 'create', path, data } : { op: 'set', path, data, version };
}

/** P16: in the multi of the act itself, with the epoch in which it was said. */
export function rolloutEvent(
  record: RolloutRecord,
  what: string,
  { author, reason, at }: Author,
  epoch: number,
): MultiOp {
  const { service, operation, from, to } = record;
  return eventOp({
    at,
    actor: author,
    kind: `rollout.${what}`,
    service,
    version: namesOf(record.phase === 'reverting' ? from : to),
    message: `the rollout of ${service} from ${namesOf(from)} to ${namesOf(to)} is ${what}`,
    reason,
    epoch,
    operation,
  });
}

/** The service as it is declared, and its last rollout. USAGE_UNKNOWN_NAME where it is not declared. */
export function found(
  registry: Pick<ChangePart, 'declared' | 'rollouts'>,
  service: string,
): { declared: Service; rollout: RolloutRecord | null } {
  const services = registry.declared?.record.environment.services ?? [];
  const declared = services.find(({ name }) => name === service);
  if (declared) return { declared, rollout: registry.rollouts[service]?.record ?? null };
  const known = services.map(({ name }) => name);
  throw new McpError('USAGE_UNKNOWN_NAME', `there is no service called "${service}"${didYouMean(service, known)}`, {
    hint: known.length > 0 ? `Declared: ${known.join(', ')}.` : 'Nothing is declared yet: mcp apply -f FILE.',
    details: { known },
  });
}

/** USAGE_UNKNOWN_NAME for a service that was never rolled out. */
export function noRollout(service: string): McpError {
  return new McpError('USAGE_UNKNOWN_NAME', `${service} was never rolled out`, {
    hint: `To begin: mcp upgrade ${service} --to VERSION`,
  });
}

async function readGenerations(client: RegistryClient): Promise<DesiredRecord[]> {
  const generations = await listHistory(client);
  const records = await Promise.all(generations.map((generation) => readHistory(client, generation)));
  return records.filter((record) => record !== null);
}
