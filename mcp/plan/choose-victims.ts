/**
 * Who goes first where instances of one version must go. In this order: those an operator told to go; those that serve badly or
 * only seem to; those on a machine of another image; the older; those with fewer requests in flight; those of the zone that has
 * most. Age and requests are compared by magnitude, as Kubernetes' ReplicaSets compare ages: to the second no two are equal, and
 * nothing after them would ever count. Then the exact age and the UUID, so that the order is total. Protected ones never go.
 * See decision 0053.
 */
import { endpointOf } from '../../proxy-daemon/routes/route-table.ts';
import { paths } from '../../registrar/layout.ts';
import type { Draft } from './draft.ts';
import { isOfImage } from './recycle-images.ts';
import type { Snapshot } from './snapshot.ts';
import type { Unit } from './world.ts';

/** Why an instance goes before others of its version. */
export interface Chosen {
  unit: Unit;
  /** For people; empty where only age and the like speak for it. */
  because: string;
}

interface Ranked extends Chosen {
  rank: readonly number[];
  zone: string;
}

/** What of a draft is looked at. */
type Look = Pick<Draft, 'snapshot' | 'world' | 'input'>;

const minuteMs = 60_000;

/** At most `count` of the instances, in the order in which they go. More are the same ones first, then others. */
export function chooseVictims(draft: Look, instances: readonly Unit[], count: number): Chosen[] {
  if (count <= 0) return [];
  const leftOut = leftOutPaths(draft);
  const ranked = instances
    .filter(mayLeave)
    .map((unit) => rankOf(draft, unit, leftOut))
    .sort((a, b) => compareRanks(a.rank, b.rank) || byAge(a.unit, b.unit));
  const chosen: Chosen[] = [];
  const crowd = new Map<string, number>();
  for (const unit of instances) crowd.set(zoneOf(unit), (crowd.get(zoneOf(unit)) ?? 0) + 1);
  for (let at = 0; at < ranked.length && chosen.length < count; ) {
    const first = ranked[at] as Ranked;
    let end = at + 1;
    while (end < ranked.length && compareRanks(first.rank, (ranked[end] as Ranked).rank) === 0) end += 1;
    chosen.push(...spreadOut(ranked.slice(at, end), count - chosen.length, crowd));
    at = end;
  }
  return chosen;
}

/** Whether the policy may choose it. What fails is replaced all the same. */
export function mayLeave({ ledger }: Unit): boolean {
  return ledger.protected === undefined;
}

/** The oldest claims first; UUIDs make it the same each time. */
function byAge(a: Unit, b: Unit): number {
  return claimedAt(a) - claimedAt(b) || (a.uuid < b.uuid ? -1 : 1);
}

function claimedAt({ ledger }: Unit): number {
  return ledger.claim?.at ?? 0;
}

function rankOf(draft: Look, unit: Unit, leftOut: ReadonlySet<string>): Ranked {
  const { ledger } = unit;
  const sick = sicknessOf(unit, leftOut);
  const isOld = !isOfImage(draft.world, unit);
  const told = ledger.toLeave;
  const because = told
    ? `${told.by} told it to go${told.reason && `: ${told.reason}`}`
    : sick || (isOld ? `it is of image ${ledger.image}` : '');
  const minutes = Math.max(0, draft.snapshot.at - claimedAt(unit)) / minuteMs;
  const rank = [
    told ? 0 : 1,
    sick === '' ? 1 : 0,
    isOld ? 0 : 1,
    -magnitude(minutes),
    magnitude(inFlight(draft, unit)),
  ];
  return { unit, because, rank, zone: zoneOf(unit) };
}

/** What speaks against an instance that is registered as healthy; empty where nothing does. */
function sicknessOf({ provider, observed, ledger, uuid }: Unit, leftOut: ReadonlySet<string>): string {
  const state = provider?.state ?? 'unknown';
  if (state !== 'running') return `its provider does not call it running but ${state}`;
  const { service = '', version = '' } = ledger.claim ?? {};
  if (leftOut.has(paths.registration(service, version, uuid))) return 'a gateway leaves it out';
  const phase = observed.agent?.phase;
  if (phase === undefined) return 'its agent is away';
  return phase === 'serving' ? '' : `its agent says ${phase}`;
}

function leftOutPaths({ snapshot }: Look): Set<string> {
  return new Set(snapshot.gateways.flatMap(({ rejected }) => rejected.map(({ path }) => path)));
}

/** At the gateways, as far as they tell; 0 where they don't. */
function inFlight({ input }: Look, { registration }: Unit): number {
  if (!input.inFlight || !registration) return 0;
  return input.inFlight.get(inFlightKey(registration.record.service, endpointOf(registration.record))) ?? 0;
}

/** What `PlanInput.inFlight` goes by; `endpoint` as `endpointOf` writes it. */
export function inFlightKey(service: string, endpoint: string): string {
  return `${service} ${endpoint}`;
}

function zoneOf({ registration }: Unit): string {
  return registration?.record.zone ?? '';
}

/** 0: none; 1: 1 or 2; 2: 3 to 6; each further step twice as many. */
function magnitude(amount: number): number {
  return Math.floor(Math.log2(amount + 1));
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < a.length; at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** One after the other from the zone that has most instances left; `crowd` is counted down. */
function spreadOut(equals: readonly Ranked[], most: number, crowd: Map<string, number>): Ranked[] {
  const queues = new Map<string, Ranked[]>();
  for (const one of equals) {
    const queue = queues.get(one.zone);
    if (queue) queue.push(one);
    else queues.set(one.zone, [one]);
  }
  const taken: Ranked[] = [];
  const next = new Map([...queues.keys()].map((zone) => [zone, 0]));
  const headOf = (zone: string) => queues.get(zone)?.[next.get(zone) ?? 0];
  while (taken.length < Math.min(most, equals.length)) {
    const zones = [...queues.keys()].filter((zone) => headOf(zone));
    const fullest = Math.max(...zones.map((zone) => crowd.get(zone) ?? 0));
    const heads = zones.filter((zone) => crowd.get(zone) === fullest).flatMap((zone) => headOf(zone) ?? []);
    const one = heads.sort((a, b) => byAge(a.unit, b.unit))[0] as Ranked;
    next.set(one.zone, (next.get(one.zone) ?? 0) + 1);
    crowd.set(one.zone, fullest - 1);
    taken.push(one);
  }
  return taken;
}

/** Whether some service has more instances registered as up than are wanted: only then does it matter how busy each one is. */
export function hasSurplus({ desired, registrations }: Pick<Snapshot, 'desired' | 'registrations'>): boolean {
  const spare = new Map<string, number>();
  for (const { name, versions } of desired?.record.environment.services ?? [])
    spare.set(name, -versions.reduce((sum, { count }) => sum + count, 0));
  for (const { record } of registrations)
    if (record.state === 'up') spare.set(record.service, (spare.get(record.service) ?? 0) + 1);
  return [...spare.values()].some((count) => count > 0);
}
