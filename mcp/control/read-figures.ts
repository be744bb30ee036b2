/** What the gateways counted: of the versions that a rollout compares, and the requests under way. */
import type { VersionFigures as Counted, MirrorFigures, TrafficReport } from '../../proxy-daemon/version-figures.ts';
import type { Clock } from '../../registrar/clock.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import type { VersionFigures } from '../../registrar/rollout-records.ts';
import { inFlightKey } from '../plan/choose-victims.ts';
import { askTraffic } from './ask-gateway.ts';

/** A sweep waits for it. */
const withinMs = 1000;

/**
 * The figures of all gateways together, by service; null where one of them does not answer or does not count: a part of them
 * would look as if requests had gone away. Never rejects.
 */
export async function readFigures(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  services: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly VersionFigures[]> | null> {
  const answers = await askAll(gateways, signal);
  if (!answers) return null;
  const counted = answers.flatMap(({ versions }) => versions);
  return new Map(services.map((name) => [name, together(counted.filter(({ service }) => service === name))]));
}

/** What came of copies of a service's requests, by the version that got them. Null and never rejecting as `readFigures`. */
export async function readMirrors(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  service: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, MirrorFigures> | null> {
  const answers = await askAll(gateways, signal);
  if (!answers) return null;
  const found = new Map<string, MirrorFigures>();
  for (const one of answers.flatMap(({ versions }) => versions)) {
    if (one.service !== service || !one.mirrored) continue;
    const before = found.get(one.version);
    found.set(one.version, before ? bothMirrors(before, one.mirrored) : one.mirrored);
  }
  return found;
}

function bothMirrors(a: MirrorFigures, b: MirrorFigures): MirrorFigures {
  const example = (a.example?.at ?? 0) > (b.example?.at ?? 0) ? a.example : b.example;
  return {
    same: a.same + b.same,
    differing: a.differing + b.differing,
    failed: a.failed + b.failed,
    leftOut: a.leftOut + b.leftOut,
    conforming: a.conforming + b.conforming,
    deviating: a.deviating + b.deviating,
    ...(example && { example }),
  };
}

/** Gateways read their figures every few seconds. */
const freshWithinMs = 15_000;
const lookMs = 200;

/**
 * As `readFigures`, and of after the call: it waits until every gateway has read its figures anew. Told by the change of
 * `at`, since a gateway's clock need not be ours. Null also where that takes too long.
 */
export async function readFreshFigures(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  services: readonly string[],
  signal: AbortSignal,
  clock: Clock,
): Promise<ReadonlyMap<string, readonly VersionFigures[]> | null> {
  const began = clock.monotonic();
  const readAt = () => Promise.all(gateways.map((gateway) => askTraffic(gateway, signal)));
  const first = await readAt();
  if (first.some((report) => report === null || report.since === 0)) return null;
  for (;;) {
    const now = await readAt();
    if (now.every((report, index) => report !== null && report.at !== first[index]?.at)) break;
    if (clock.monotonic() - began > freshWithinMs) return null;
    await clock.sleep(lookMs, signal);
  }
  return readFigures(gateways, services, signal);
}

/**
 * Requests under way at all gateways together, by `inFlightKey`, some seconds old; an instance without an entry has none. Null
 * where one of them does not answer or does not count. Never rejects.
 */
export async function readInFlight(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | null> {
  const answers = await askAll(gateways, signal);
  if (!answers) return null;
  const found = new Map<string, number>();
  for (const { service, endpoint, requests } of answers.flatMap(({ inFlight }) => inFlight)) {
    const key = inFlightKey(service, endpoint);
    found.set(key, (found.get(key) ?? 0) + requests);
  }
  return found;
}

/** Null unless all of them answer and count. */
async function askAll(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  signal: AbortSignal,
): Promise<TrafficReport[] | null> {
  const answers = await Promise.all(gateways.map((gateway) => ask(gateway, signal)));
  const counting = answers.flatMap((answer) => answer ?? []);
  return answers.length > 0 && counting.length === answers.length ? counting : null;
}

async function ask(gateway: Pick<GatewayRecord, 'url'>, signal: AbortSignal): Promise<TrafficReport | null> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
  const traffic = await askTraffic(gateway, within).catch(() => null);
  // 0: a gateway in plain mode, which counts nothing.
  return traffic && traffic.since > 0 ? traffic : null;
}

/** One entry a version; gateways of one release count with the same bounds. */
function together(counted: readonly Counted[]): VersionFigures[] {
  const found = new Map<string, VersionFigures>();
  for (const { version, requests, errors5xx, latencyMs } of counted) {
    const before = found.get(version);
    const counts = latencyMs.counts.map((count, at) => count + (before?.latency.counts[at] ?? 0));
    found.set(version, {
      version,
      requests: requests + (before?.requests ?? 0),
      errors: errors5xx + (before?.errors ?? 0),
      latency: { bounds: latencyMs.bounds, counts },
    });
  }
  return [...found.values()];
}
