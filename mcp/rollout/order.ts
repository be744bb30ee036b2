/** Rollouts of one apply, one after the other: what the later ones wait for, and what stops them. Pure. */
import type { RolloutName, RolloutPhase, RolloutRecord } from '../../registrar/rollout-records.ts';
import { isForward } from './rollout-input.ts';

/** What a waiting rollout does next: `failed` and `waits` are for people. */
type Turn = { begins: true } | { failed: string } | { waits: string };

/** Whether it is the rollout's turn, by the last rollouts of all services. */
export function turnOf({ order }: RolloutRecord, rollouts: readonly RolloutRecord[]): Turn {
  if (!order) return { begins: true };
  const phases = phasesOf(rollouts);
  const phase = (name: RolloutName) => phases.get(keyOf(name)) ?? null;
  // What it waits for counts though it was begun before.
  const failed = [...order.after, ...order.others].find((name) => hasFailed(phase(name)));
  if (failed) {
    const words = phase(failed) ?? 'known no more';
    const which = order.others.some((name) => keyOf(name) === keyOf(failed))
      ? 'of the same apply'
      : 'which comes first';
    return { failed: `the rollout of ${failed.service}, ${which}, is ${words}: what had not begun does not begin` };
  }
  const open = order.after.filter((name) => phase(name) !== 'done');
  if (open.length === 0) return { begins: true };
  return { waits: `comes after ${open.map((name) => `${name.service} (${phase(name)})`).join(', ')}` };
}

function hasFailed(phase: RolloutPhase | null): boolean {
  return phase === null || (phase !== 'done' && !isForward({ phase }));
}

/** Of each rollout that is still known, over or not. */
function phasesOf(rollouts: readonly RolloutRecord[]): Map<string, RolloutPhase> {
  const phases = new Map<string, RolloutPhase>();
  for (const { service, operation, phase, past } of rollouts) {
    phases.set(keyOf({ service, operation }), phase);
    for (const { operation: before, outcome } of past) phases.set(keyOf({ service, operation: before }), outcome);
  }
  return phases;
}

function keyOf({ service, operation }: RolloutName): string {
  return `${service} ${operation}`;
}

/** How these rollouts stand, in their order; null: it is known no more. */
export function standOf(names: readonly RolloutName[], rollouts: readonly RolloutRecord[]): (RolloutPhase | null)[] {
  const phases = phasesOf(rollouts);
  return names.map((name) => phases.get(keyOf(name)) ?? null);
}
