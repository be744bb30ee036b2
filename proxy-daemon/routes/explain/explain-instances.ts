/** Why each instance of a route would or would not be chosen now (see nginx/lua/mcp/choose-peer.lua). Pure. */
import { endpointOf, type InstanceState, type Route, type RouteInstance } from '../route-table.ts';
import { instanceKey, nearOnes, proxyOf } from '../service-entry.ts';
import type { Chance, ExplainedInstance } from './explanation.ts';

/** What decides beside the routes, as nginx's workers have it at this moment. */
export interface Moment {
  /** The gateway's own zone; null: it has none. */
  zone: string | null;
  /** Requests in flight by instance key; none where there is none. */
  inFlight: ReadonlyMap<string, number>;
  /** Endpoints passed over because requests failed there. */
  down: ReadonlySet<string>;
  /** Since when an instance is known by its key, ms since the Unix epoch; undefined: not known to nginx. */
  since: (key: string) => number | undefined;
}

type Verdict = Pick<ExplainedInstance, 'chance' | 'why'>;

/** A new instance gets at least this share of what it will get. */
const slowStartFloor = 0.1;

/** `moment`: null in plain mode, which counts nothing. `now`: ms since the Unix epoch. */
export function explainInstances(route: Route, moment: Moment | null, now: number): ExplainedInstance[] {
  const usable = Map.groupBy(
    route.instances.filter(({ weight }) => weight > 0),
    ({ version }) => version,
  );
  return route.instances.map((one) => {
    const peers = usable.get(one.version) ?? [];
    const verdict = one.weight > 0 ? candidate(route, one, peers, moment, now) : never(one);
    const held = one.state === 'held' ? 'vanished from the registry unannounced, but kept while it answers; ' : '';
    return {
      version: one.version,
      endpoint: endpointOf(one),
      machine: one.machine,
      zone: one.zone ?? null,
      state: one.state,
      inFlight: moment === null ? null : (moment.inFlight.get(instanceKey(route.service, one)) ?? 0),
      ...verdict,
      why: held + verdict.why,
    };
  });
}

const neverWords: Record<InstanceState, string> = {
  draining: 'it announced that it leaves: it finishes what it has and gets nothing new',
  lost: 'it vanished from the registry together with many others, and does not answer',
  idle: 'its version has no share of the requests',
  held: 'its version has no share of the requests',
  routed: 'it has no share of the requests',
};

function never({ state, says }: RouteInstance): Verdict {
  return { chance: 'no', why: says ? `its registrar says: ${says}` : neverWords[state] };
}

function candidate(
  route: Route,
  one: RouteInstance,
  peers: RouteInstance[],
  moment: Moment | null,
  now: number,
): Verdict {
  if (moment === null) {
    return {
      chance: 'yes',
      why: `its turn comes ${one.weight} in ${route.instances.reduce((sum, { weight }) => sum + weight, 0)} times; after two failures in 2 s it is passed over for 2 s`,
    };
  }
  if (moment.down.has(endpointOf(one))) {
    return {
      chance: 'last',
      why: 'requests failed there just now: passed over for some seconds while others are left',
    };
  }
  const near = nearOnes(peers, moment.zone);
  const isUp = (peer: RouteInstance) => !moment.down.has(endpointOf(peer));
  if (!near.includes(one) && near.some(isUp)) {
    return {
      chance: 'last',
      why: `it is in ${one.zone === undefined ? 'no zone' : `zone ${one.zone}`}, and zone ${moment.zone} of this gateway has instances enough`,
    };
  }
  const slow = slowStart(route, one, peers, moment, now);
  if (slow !== null) return slow;
  const rivals = near.includes(one) ? near : peers.filter((peer) => !near.includes(peer));
  const why =
    rivals.filter(isUp).length > 1
      ? 'of two drawn at random the one with fewer requests in flight is taken'
      : peers.length === 1
        ? 'it is the only one of its version'
        : 'no other of its version is as good';
  return { chance: 'yes', why };
}

function slowStart(
  route: Route,
  one: RouteInstance,
  peers: RouteInstance[],
  moment: Moment,
  now: number,
): Verdict | null {
  const { slowStartMs } = proxyOf(route);
  const since = (peer: RouteInstance) => moment.since(instanceKey(route.service, peer)) ?? 0;
  const age = now - since(one);
  const oldest = now - Math.min(...peers.map(since));
  if (slowStartMs === 0 || age >= slowStartMs || age < 0 || oldest < slowStartMs) return null;
  const share = Math.round(Math.max(slowStartFloor, age / slowStartMs) * 100);
  const chance: Chance = 'seldom';
  return { chance, why: `it is new: ${share} % of its share now, all of it ${slowStartMs} ms after it came` };
}
