/** A rollout as a value that people and programs read. Pure. */
import type {
  RolloutEntry,
  RolloutGate,
  RolloutHold,
  RolloutPhase,
  RolloutRecord,
} from '../../registrar/rollout-records.ts';
import type { WaitingRecord } from '../../registrar/status-records.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { sameRun } from '../rollout/sides.ts';
import { instanceViews, type RegistryPart } from './status-view.ts';

interface SideView {
  version: string;
  /** Wanted right now. */
  count: number;
  weight: number | null;
  live: number;
  instances: ReturnType<typeof instanceViews>;
}

export interface RolloutView {
  service: string;
  operation: string;
  kind: RolloutRecord['kind'];
  phase: RolloutPhase;
  since: number;
  /** Why it is in this phase. */
  why: string;
  /** What it waits for, as the leader last said; empty where it said nothing. */
  waits: string;
  hold: RolloutHold | null;
  by: string;
  reason: string;
  at: number;
  total: number;
  /** New instances that count. */
  done: number;
  from: SideView[];
  to: SideView[];
  /** ms left, by its pace so far; null: too early to say, or over. */
  etaMs: number | null;
  /** How the new version's document differs; null: nothing was compared (yet). */
  gate: RolloutGate | null;
  evidence: string[];
  log: RolloutEntry[];
  past: {
    operation: string;
    outcome: RolloutPhase;
    from: string[];
    to: string[];
    at: number;
    endedAt: number;
    by: string;
    reason: string;
  }[];
}

/** Whether it is what a rollout waits for: that is told with the rollout. */
export function isOfRollout({ cause }: WaitingRecord): boolean {
  return cause === 'rollout';
}

/** All rollouts, the latest first. */
export function rolloutViews(registry: RegistryPart, waiting: readonly WaitingRecord[], now: number): RolloutView[] {
  return Object.values(registry.rollouts)
    .map(({ record }) => rolloutView(record, registry, waiting, now))
    .sort((a, b) => b.at - a.at || (a.service < b.service ? -1 : 1));
}

function rolloutView(
  record: RolloutRecord,
  registry: RegistryPart,
  waiting: readonly WaitingRecord[],
  now: number,
): RolloutView {
  const { service, operation, kind, phase, since, why, hold, by, reason, at, total, base, evidence, log } = record;
  const old = record.from.filter((version) => !record.to.some((other) => sameRun(version, other)));
  const side = (versions: RolloutRecord['from']) => versions.map(({ version }) => sideView(version, record, registry));
  return {
    service,
    operation,
    kind,
    phase,
    since,
    why,
    // The leader's last word may be of the look before the one that ended it.
    waits: isActive(record) ? (waiting.find((one) => isOfRollout(one) && one.service === service)?.why ?? '') : '',
    hold,
    by,
    reason,
    at,
    total,
    done: base,
    from: side(old),
    to: side(record.to),
    etaMs: etaOf(record, now),
    gate: record.gate,
    evidence,
    log,
    past: record.past.map(({ from, to, ...rest }) => ({
      ...rest,
      from: from.map(({ version }) => version),
      to: to.map(({ version }) => version),
    })),
  };
}

function sideView(version: string, record: RolloutRecord, registry: RegistryPart): SideView {
  const registered = registry.registrations.filter(
    (entry) => entry.record.service === record.service && entry.record.version === version,
  );
  const services = registry.desired?.record.environment.services ?? [];
  const now = services.find(({ name }) => name === record.service)?.versions.find((one) => one.version === version);
  return {
    version,
    count: now?.count ?? 0,
    weight: now?.weight ?? null,
    live: registered.filter((entry) => entry.record.state === 'up').length,
    instances: instanceViews(registry, record.service, version, registered),
  };
}

/** From the time each new instance has taken so far, and the time it is watched at the end. */
function etaOf({ phase, at, since, base, total, settings, hold }: RolloutRecord, now: number): number | null {
  if (hold) return null;
  if (phase === 'baking') return Math.max(0, settings.bakeMs - (now - since));
  if ((phase !== 'rolling' && phase !== 'canary') || base === 0) return null;
  return Math.round(((now - at) / base) * (total - base) + settings.bakeMs);
}
