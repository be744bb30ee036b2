/**
 * One service as the dynamic gateway's workers read it: a line of text (see nginx/lua/mcp/entry-text.lua). Pure.
 *
 * What is written here is checked once more, since it comes from the registry: values that hold nothing but what their kind
 * may hold, so that no value can end a field, and no line a message. How versions are chosen beside their weights is one more
 * field at the end, which services without any of that don't have.
 */
import type { ChoiceSpec } from '../../specs/choice.ts';
import type { ProxySpec } from '../../specs/nouns.ts';
import { choiceText, wantedAtZero } from './choice-text.ts';
import type { Route, RouteInstance } from './route-table.ts';
import { endpointOf } from './route-table.ts';
import { endpointProblem, routeProblem, serviceNameProblem, versionProblem } from './safe-values.ts';

/** How instances are talked to where the service says nothing. */
const defaultProxy: Required<Omit<ProxySpec, keyof ChoiceSpec>> = {
  protocol: 'http',
  connectTimeoutMs: 2000,
  sendTimeoutMs: 60_000,
  readTimeoutMs: 60_000,
  retries: 2,
  retryBudget: 20,
  retryNonIdempotent: false,
  markDownMs: 5000,
  slowStartMs: 3000,
};

const defaultDrainMs = 30_000;

export interface EntryContext {
  /** The gateway's own zone; null: it has none. */
  zone: string | null;
  /** Since when an instance is known, ms since the Unix epoch. */
  since: (instance: RouteInstance) => number;
}

/** Under what an instance's requests in flight are counted. */
export function instanceKey(service: string, instance: { address: string; port: number }): string {
  return `${service} ${endpointOf(instance)}`;
}

/** The entry of a route; null where it holds what it must not hold. */
export function serviceEntry(route: Route, context: EntryContext): string | null {
  const { service, prefix } = route;
  if (serviceNameProblem(service) !== '' || routeProblem(prefix) !== '') return null;
  const proxy = { ...defaultProxy, ...route.proxy };
  const { connectTimeoutMs, sendTimeoutMs, readTimeoutMs } = proxy;
  const usable = route.instances.filter(isUsable);
  const total = usable.reduce((sum, { weight }) => sum + weight, 0);
  const choice = choiceText(proxy);
  const atZero = choice === '' || total === 0 ? [] : route.instances.filter((one) => isAtZero(route, one));
  const versions = [...Map.groupBy([...usable, ...atZero], ({ version }) => version)].flatMap(
    ([version, instances]) => {
      const share = instances.reduce((sum, { weight }) => sum + weight, 0) / total;
      const near = nearOnes(instances, context.zone);
      const far = near.length === instances.length ? [] : instances.filter((one) => !near.includes(one));
      const written = (list: RouteInstance[]) => list.map((one) => writePeer(one, context.since(one))).join(';');
      return [version, share, written(near), written(far)];
    },
  );
  return [
    service,
    prefix,
    proxy.protocol,
    isUsual(proxy) ? '-' : [connectTimeoutMs, sendTimeoutMs, readTimeoutMs].map(Math.ceil).join(','),
    proxy.retries,
    proxy.retryBudget / 100,
    proxy.retryNonIdempotent ? 1 : 0,
    proxy.markDownMs,
    proxy.slowStartMs,
    route.drainTimeoutMs ?? defaultDrainMs,
    ...versions,
    ...(choice === '' ? [] : [choice]),
  ].join('\t');
}

function isUsable({ weight, version, address, port }: RouteInstance): boolean {
  return weight > 0 && versionProblem(version) === '' && endpointProblem(address, port) === '';
}

/** Live, of a version of weight 0, and may be asked for by name: in the entry with a share of 0. */
function isAtZero({ proxy = {}, versions }: Route, instance: RouteInstance): boolean {
  const { state, says, version } = instance;
  if (state !== 'idle' || says !== undefined || !isUsable({ ...instance, weight: 1 })) return false;
  const wanted = wantedAtZero(proxy);
  return versions.some((one) => one.version === version && one.weight === 0) && (wanted?.has(version) ?? true);
}

function isUsual({ connectTimeoutMs, sendTimeoutMs, readTimeoutMs }: typeof defaultProxy): boolean {
  return (
    connectTimeoutMs === defaultProxy.connectTimeoutMs &&
    sendTimeoutMs === defaultProxy.sendTimeoutMs &&
    readTimeoutMs === defaultProxy.readTimeoutMs
  );
}

/**
 * The instances to prefer: those in the gateway's own zone, unless it has less than half of an even share of them. Then,
 * and where the gateway has no zone, all.
 */
function nearOnes(instances: RouteInstance[], zone: string | null): RouteInstance[] {
  if (zone === null) return instances;
  const own = instances.filter((instance) => instance.zone === zone);
  const zones = new Set(instances.map((instance) => instance.zone ?? ''));
  return own.length * zones.size * 2 >= instances.length && own.length > 0 ? own : instances;
}

function writePeer({ address, port }: RouteInstance, since: number): string {
  return `${address},${port},${Math.floor(since)}`;
}

/** Keys and since-times of the instances in an entry, as a daemon finds them that starts beside a running nginx. */
export function entryInstances(entry: string): Map<string, number> {
  const fields = entry.split('\t');
  const service = fields[0] ?? '';
  const lists = fields.slice(10).filter((_, index) => index % 4 >= 2);
  const peers = lists.flatMap((list) => list.split(';').filter((peer) => peer !== ''));
  return new Map(
    peers.map((peer) => {
      const [address = '', port, since] = peer.split(',');
      return [instanceKey(service, { address, port: Number(port) }), Number(since)];
    }),
  );
}
