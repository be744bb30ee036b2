/** Shortfalls are met from the ready pool, at most one claim a machine (P5). */
import { imageOfService, imagesOf } from '../../specs/image-reference.ts';
import { lostReason } from './adopt-orphans.ts';
import { liveOf, type VersionCount } from './count-instances.ts';
import { act, alarm, type Draft, type ServiceView, wait } from './draft.ts';
import type { Because } from './plan.ts';
import { canServeAs, dueForRecycling, isOfImage, reasonOf as reasonToReplace } from './recycle-images.ts';
import { templateIn, templateOf } from './warm-pool.ts';
import { countIf, type Unit } from './world.ts';

interface Need {
  count: VersionCount;
  /** What its machines are made of. */
  image: string;
  missing: number;
  /** Claims that caps allow now, of machines that run nothing; what is beyond waits, with `held` as the reason. */
  allowed: number;
  held: Because | null;
  /** Claims of machines that run it already. */
  warm: number;
}

export function claimMachines(draft: Draft): void {
  const lost = lostReason(draft);
  const needs = draft.services.flatMap((service) => needsOf(draft, service, lost)).sort(mostUrgentFirst);
  for (const image of imagesOf(draft.world.desired.environment)) {
    const asked = needs.filter((need) => need.image === image);
    const ready = readyMachines(draft).filter((unit) => canServeAs(draft.world, unit, image));
    const warm = asked.map((need) => claimWarm(draft, need, ready));
    const rest = ready.filter((unit) => !draft.busy.has(unit.uuid));
    const left = claimOfImage(draft, image, warm, rest);
    if (lost === null) recycle(draft, image, left);
  }
}

/** Machines that run just what is needed go to it before all others; gives what is needed beyond them. */
function claimWarm(draft: Draft, need: Need, ready: readonly Unit[]): Need {
  const { service, version } = need.count;
  const template = templateOf(draft.world, service.name, version.version);
  if (template === null) return need;
  const machines = ready
    .filter((unit) => templateIn(unit) === template && !draft.busy.has(unit.uuid))
    .slice(0, need.allowed);
  for (const machine of machines) claim(draft, need.count, machine, `${reasonOf(need)}; it runs there already`, true);
  const { length } = machines;
  return { ...need, warm: length, missing: need.missing - length, allowed: need.allowed - length };
}

function reasonOf({ count }: Need): string {
  return `${liveOf(count)} of ${count.version.count} serve, ${count.coming.length} on their way`;
}

/** Gives the ready machines that nobody claimed. */
function claimOfImage(draft: Draft, image: string, needs: readonly Need[], ready: readonly Unit[]): readonly Unit[] {
  const given = shareOut(needs, ready.length);
  const noneCanBeMade = draft.snapshot.missingImages?.[image];
  const empty: Because =
    noneCanBeMade === undefined
      ? { cause: 'no-machine', why: `pool empty, ${buildingCount(draft, image)} building` }
      : { cause: 'no-image', why: noneCanBeMade };
  let next = 0;
  for (const need of needs) {
    const machines = ready.slice(next, next + (given.get(need) ?? 0));
    next += machines.length;
    for (const machine of machines) claim(draft, need.count, machine, reasonOf(need));
    addUnmet(draft, image, need.allowed - machines.length);
    draft.heldClaims += need.missing - need.allowed;
    explain(draft, need, machines.length, empty);
  }
  return ready.slice(next);
}

function addUnmet({ unmetClaims, snapshot }: Draft, image: string, count: number): void {
  // What can't be made is not waited for by making it: the pool has nothing to do.
  if (count > 0 && snapshot.missingImages?.[image] === undefined)
    unmetClaims.set(image, (unmetClaims.get(image) ?? 0) + count);
}

/** Machines that nobody needs for what is missing take the place of those of another image. */
function recycle(draft: Draft, image: string, ready: readonly Unit[]): void {
  const { world } = draft;
  const fresh = ready.filter(({ ledger }) => ledger.image === image);
  for (const service of draft.services) {
    if (imageOfService(world.desired.environment, world.services.get(service.name) ?? {}) !== image) continue;
    const due = dueForRecycling(draft, service);
    if (!due) continue;
    const { count, unit } = due;
    const machine = fresh.shift();
    const reason = reasonToReplace(world, unit);
    if (machine) claim(draft, count, machine, reason);
    else {
      addUnmet(draft, image, 1);
      waitAs(draft, count, { cause: 'no-machine', why: `${reason}: it waits for one that is` });
    }
  }
}

function needsOf(draft: Draft, service: ServiceView, lost: Because | null): Need[] {
  const { live, level, mass, hold } = service;
  if (mass) {
    const message = `${service.name}: ${live} of lately ${level} instances are live; nothing is taken away, replacements come slowly`;
    alarm(draft, 'MASS_FAILURE', message);
  }
  const inFlight = service.versions.reduce((sum, version) => sum + version.coming.length, 0);
  const cap = Math.max(1, Math.floor(draft.policy.budgetShare * service.total));
  let room = lost ? 0 : hold ? Math.max(0, cap - inFlight) : Number.POSITIVE_INFINITY;
  return service.versions.map((version) => {
    const missing = Math.max(0, version.version.count - liveOf(version) - version.coming.length);
    const breaker = breakerRoom(draft, version);
    const allowed = Math.min(missing, room, breaker.room);
    const slow = lost ?? { cause: 'mass-failure', why: `mass failure: at most ${cap} starting at a time` };
    const binding = room < breaker.room ? slow : breaker.held;
    room -= allowed;
    const image = imageOfService(draft.world.desired.environment, version.service);
    return { count: version, image, missing, allowed, held: allowed === missing ? null : binding, warm: 0 };
  });
}

/**
 * Starts allowed of this digest. One that was never seen to serve gets as many at a time as may fail; after that many
 * failures in a row it gets one each cooldown, while whatever serves now goes on serving (fault 40).
 */
function breakerRoom(draft: Draft, count: VersionCount): { room: number; held: Because | null } {
  const { policy, memory, input } = draft;
  const name = nameOf(count);
  const failed = memory.starts.get(count.version.digest);
  const coming = count.coming.length;
  if (failed && failed.failures >= policy.breakerFailures) {
    const left = failed.lastAt + policy.breakerCooldownMs - input.now;
    const why = `${failed.failures} starts in a row failed, the last because ${failed.lastReason}`;
    alarm(draft, 'START_FAILING', `${name}: ${why}`);
    const again = left > 0 ? `one more is tried in ${Math.ceil(left / 1000)} s` : 'one is tried at a time';
    return { room: left > 0 ? 0 : Math.max(0, 1 - coming), held: { cause: 'breaker', why: `${why}; ${again}` } };
  }
  if (liveOf(count) > 0) return { room: Number.POSITIVE_INFINITY, held: null };
  const room = Math.max(0, policy.breakerFailures - (failed?.failures ?? 0) - coming);
  const why = `no instance of it has served yet: at most ${policy.breakerFailures} start at a time`;
  return { room, held: { cause: 'unproven', why } };
}

/** The higher priority, then none live comes first, then the largest missing share; names make it the same each time. */
function mostUrgentFirst(a: Need, b: Need): number {
  const share = (need: Need) => need.missing / Math.max(1, need.count.version.count);
  const none = (need: Need) => (liveOf(need.count) === 0 ? 0 : 1);
  return (
    priorityOf(b) - priorityOf(a) ||
    none(a) - none(b) ||
    share(b) - share(a) ||
    (nameOf(a.count) < nameOf(b.count) ? -1 : 1)
  );
}

function priorityOf({ count }: Need): number {
  return count.service.priority ?? 0;
}

/** What the higher priorities need first; among equals one machine each in turn, so that a large need does not starve the others. */
function shareOut(needs: readonly Need[], machines: number): Map<Need, number> {
  const given = new Map<Need, number>();
  let left = machines;
  for (const priority of new Set(needs.map(priorityOf))) {
    left = shareAmong(
      needs.filter((need) => priorityOf(need) === priority),
      left,
      given,
    );
  }
  return given;
}

/** Gives how many machines are left. */
function shareAmong(needs: readonly Need[], machines: number, given: Map<Need, number>): number {
  let open = needs.filter((need) => need.allowed > 0);
  let left = machines;
  while (left > 0 && open.length > 0) {
    for (const need of open.slice(0, left)) given.set(need, (given.get(need) ?? 0) + 1);
    left -= Math.min(left, open.length);
    open = open.filter((need) => (given.get(need) ?? 0) < need.allowed);
  }
  return left;
}

/**
 * Ready, unclaimed, running, with an agent at hand; those in which no service waits to be claimed first, then those of the
 * declared image, then the oldest.
 */
function readyMachines(draft: Draft): Unit[] {
  const warm = (unit: Unit) => (templateIn(unit) === null ? 0 : 1);
  const other = (unit: Unit) => (isOfImage(draft.world, unit) ? 0 : 1);
  return draft.world.units
    .filter((unit) => isClaimable(unit) && !draft.busy.has(unit.uuid))
    .sort(
      (a, b) =>
        warm(a) - warm(b) ||
        other(a) - other(b) ||
        a.ledger.createdAt - b.ledger.createdAt ||
        (a.uuid < b.uuid ? -1 : 1),
    );
}

function isClaimable(unit: Unit): boolean {
  const { ledger, observed, provider } = unit;
  return (
    ledger.state === 'ready' &&
    !ledger.tombstone &&
    observed.assignment === null &&
    observed.agent !== null &&
    provider?.state === 'running'
  );
}

function claim(draft: Draft, { service, version }: VersionCount, machine: Unit, reason: string, warm = false): void {
  act(draft, {
    kind: 'claim',
    uuid: machine.uuid,
    service: service.name,
    version: version.version,
    ...(warm ? { warm } : {}),
    operation: draft.input.newId(),
    reason,
  });
}

function explain(draft: Draft, { count, missing, allowed, held, warm }: Need, claimed: number, empty: Because): void {
  const coming = count.coming.length + claimed + warm;
  const serve = `${liveOf(count)} of ${count.version.count} serve; ${coming} on their way${phases(count)}`;
  const [unmet, heldBack] = [allowed - claimed, missing - allowed];
  if (coming > 0) waitAs(draft, count, { cause: 'starting', why: serve });
  if (unmet > 0) waitAs(draft, count, { ...empty, why: `${unmet} more wait for a ready machine: ${empty.why}` });
  if (heldBack > 0 && held) waitAs(draft, count, { ...held, why: `${heldBack} more wait: ${held.why}` });
}

function waitAs(draft: Draft, count: VersionCount, because: Because): void {
  wait(draft, { what: nameOf(count), service: count.service.name, ...because });
}

/** What the agents of the coming machines say they are at, most frequent words only. */
function phases(count: VersionCount): string {
  const said = new Set(count.coming.map((unit) => unit.observed.agent?.phase ?? 'no agent'));
  return said.size > 0 ? ` (${[...said].sort().join(', ')})` : '';
}

/** Machines of an image on their way into the pool. */
function buildingCount({ world }: Draft, image: string): number {
  const comes = ({ ledger }: Unit) => ledger.state === 'building' || ledger.state === 'verifying';
  return countIf(world.units, (unit) => comes(unit) && unit.ledger.image === image);
}

function nameOf(count: VersionCount): string {
  return `${count.service.name}@${count.version.version}`;
}
