/**
 * The loss guard (P9): tells a leaving, which is announced, from a loss, which may be the registry's fault.
 *
 * An instance that vanishes without having announced it (draining first, or a smaller count in the environment) is
 * remembered for a while. As long as at most half of a service, and at most half of everything, is missing in that way,
 * the registry is believed at once. Above that the missing ones stay routed as long as they answer a probe.
 */
import type { KnownInstance, LiveRegistration } from './route-table.ts';
import { byText, endpointOf } from './route-table.ts';

export interface LossLimits {
  /** How long a vanished instance counts towards a mass loss, ms. A mass expiry takes seconds, not one instant. */
  memoryMs: number;
  /** Held no longer than this, ms, unless the registry is empty altogether. */
  holdMs: number;
}

export const defaultLossLimits: LossLimits = { memoryMs: 30_000, holdMs: 600_000 };

export interface LossInput {
  previous: readonly KnownInstance[];
  /** Registered and up. */
  live: readonly KnownInstance[];
  /** Everything registered, draining ones too. */
  registered: readonly LiveRegistration[];
  /** Instances wanted of a version; null: the environment does not say. */
  wanted: (service: string, version: string) => number | null;
  /** False where the environment wants nothing at all: only then an empty registry can be meant. */
  wantsAny: boolean;
  /** Paths of missing instances that did not answer a probe. */
  dead: ReadonlySet<string>;
  /** zxid of this reading. */
  asOf: number;
  /** The zxid at which an operator let go of what was missing of a service; undefined: nobody did. */
  released: (service: string) => number | undefined;
  now: number;
  limits: LossLimits;
}

export interface LossVerdict {
  /** To be remembered until the next call. */
  known: KnownInstance[];
  /** Missing ones that stay routed. */
  held: KnownInstance[];
  /** Missing ones of a mass loss that don't answer. */
  lost: KnownInstance[];
  /** Service to reason, for those with held instances. */
  reasons: Map<string, string>;
}

export function guardLosses(input: LossInput): LossVerdict {
  const missing = unannounced(input);
  const missingOf = countBy(missing);
  const liveOf = countBy(input.live);
  const fleetLoss = missing.length > input.live.length;
  const isMassLoss = (service: string) => fleetLoss || (missingOf.get(service) ?? 0) > (liveOf.get(service) ?? 0);

  const remembered = missing.filter((instance) => {
    const age = input.now - (instance.missingSince ?? input.now);
    if (!isMassLoss(instance.service)) return age < input.limits.memoryMs;
    return age < input.limits.holdMs || input.live.length === 0;
  });
  const suspect = remembered.filter((instance) => isMassLoss(instance.service));
  const held = suspect.filter((instance) => !input.dead.has(instance.path));
  return {
    known: [...input.live, ...remembered].sort((a, b) => byText(a.path, b.path)),
    held,
    lost: suspect.filter((instance) => input.dead.has(instance.path)),
    reasons: explain(held, missingOf, liveOf),
  };
}

/** Instances known before that are gone now, without those whose going was announced or that were replaced in place. */
function unannounced(input: LossInput): KnownInstance[] {
  const present = new Set(input.registered.map(({ path }) => path));
  const vanished = input.previous.filter(({ path }) => !present.has(path));
  if (vanished.length === 0) return [];
  const occupied = new Set(input.registered.map(({ record }) => endpointOf(record)));
  const gone = vanished
    .filter((instance) => !occupied.has(endpointOf(instance)))
    .map((instance) => ({
      ...instance,
      missingSince: instance.missingSince ?? input.now,
      missingAsOf: instance.missingAsOf ?? input.asOf,
    }))
    .filter(({ service, missingAsOf }) => !((input.released(service) ?? -1) >= missingAsOf))
    .sort((a, b) => a.missingSince - b.missingSince || byText(a.path, b.path));

  const liveOf = countBy(input.live, versionKey);
  const goneOf = countBy(gone, versionKey);
  const allowance = new Map<string, number>();
  for (const instance of gone) {
    if (input.registered.length === 0 && input.wantsAny) break;
    const key = versionKey(instance);
    const wanted = input.wanted(instance.service, instance.version);
    const known = (liveOf.get(key) ?? 0) + (goneOf.get(key) ?? 0);
    if (wanted !== null) allowance.set(key, Math.max(0, known - wanted));
    else if (instance.declared) allowance.set(key, known);
  }
  return gone.filter((instance) => {
    const left = allowance.get(versionKey(instance)) ?? 0;
    if (left > 0) allowance.set(versionKey(instance), left - 1);
    return left === 0;
  });
}

function explain(
  held: readonly KnownInstance[],
  missingOf: ReadonlyMap<string, number>,
  liveOf: ReadonlyMap<string, number>,
): Map<string, string> {
  const reasons = new Map<string, string>();
  const firstMissing = new Map<string, number>();
  for (const { service, missingSince } of held) {
    firstMissing.set(service, Math.min(firstMissing.get(service) ?? Number.POSITIVE_INFINITY, missingSince ?? 0));
  }
  for (const [service, kept] of [...countBy(held)].sort(([a], [b]) => byText(a, b))) {
    const missing = missingOf.get(service) ?? 0;
    const since = firstMissing.get(service) ?? 0;
    reasons.set(
      service,
      `${missing} of ${missing + (liveOf.get(service) ?? 0)} instances vanished from the registry unannounced since ` +
        `${new Date(since).toISOString().slice(0, 19)}Z; ${kept} kept while they answer`,
    );
  }
  return reasons;
}

function versionKey(instance: KnownInstance): string {
  return `${instance.service} ${instance.version}`;
}

function countBy(
  instances: readonly KnownInstance[],
  key: (instance: KnownInstance) => string = (instance) => instance.service,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const instance of instances) counts.set(key(instance), (counts.get(key(instance)) ?? 0) + 1);
  return counts;
}
