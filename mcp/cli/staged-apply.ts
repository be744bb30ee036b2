/** The rollouts that an apply begins, as people read them: what comes after what, and how they ended. Pure. */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { standOf } from '../rollout/order.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { namesOf } from '../rollout/sides.ts';
import { paint, table } from './output.ts';

export interface StagedChange {
  service: string;
  operation: string;
  from: string;
  to: string;
  /** Services whose rollouts come first. */
  after: string[];
  /** As it stands; null: it is known no more. */
  phase: RolloutRecord['phase'] | null;
  why: string;
}

/** The rollouts, begun or to be, as they stand by `now`: the last rollouts of all services. */
export function stagedChanges(begun: readonly RolloutRecord[], now: readonly RolloutRecord[] = begun): StagedChange[] {
  const stands = standOf(begun, now);
  return begun.map(({ service, operation, from, to, order }, at) => ({
    service,
    operation,
    from: namesOf(from),
    to: namesOf(to),
    after: (order?.after ?? []).map((one) => one.service),
    phase: stands[at] ?? null,
    why: now.find((one) => one.service === service && one.operation === operation)?.why ?? '',
  }));
}

/** None of them goes on. */
export function areOver(changes: readonly StagedChange[]): boolean {
  return changes.every(({ phase }) => phase === null || !isActive({ phase }));
}

/** All of them came to their end. */
export function areDone(changes: readonly StagedChange[]): boolean {
  return changes.every(({ phase }) => phase === 'done');
}

/** Before they begin: those of one stage go side by side. */
export function renderOrder(changes: readonly StagedChange[], color: boolean): string {
  if (changes.length === 0) return '';
  const stage = (change: StagedChange): number =>
    1 + Math.max(0, ...changes.filter(({ service }) => change.after.includes(service)).map(stage));
  const rows = changes
    .map((change) => ({ change, at: stage(change) }))
    .sort((a, b) => a.at - b.at)
    .map(({ change, at }) => [String(at), change.service, `${change.from} -> ${change.to}`, change.after.join(', ')]);
  return `${paint(color, 'bold', 'Rollouts, by stages')}\n${table([['', 'SERVICE', 'VERSIONS', 'AFTER'], ...rows], color)}`;
}

/** Afterwards: what is done and what is not. */
export function renderOutcome(changes: readonly StagedChange[], color: boolean): string {
  const rows = changes.map(({ service, from, to, phase, why }) => [
    service,
    `${from} -> ${to}`,
    paint(color, phase === 'done' ? 'green' : 'red', phase ?? 'unknown'),
    why,
  ]);
  return table([['SERVICE', 'VERSIONS', 'PHASE', 'WHY'], ...rows], color);
}
