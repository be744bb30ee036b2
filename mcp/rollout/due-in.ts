/** When time alone takes a rollout further, so that nobody looks a moment too late. Pure. */
import { instancesOf, isForward, type RolloutInput } from './rollout-input.ts';

/** ms from the look that `input` is of; null: something must happen first, or it is over. */
export function dueIn(input: RolloutInput): number | null {
  const { record, stageMs } = input;
  const { phase, hold, keep, gate, base, settings } = record;
  const waited = record.waitedMs + stageMs;
  if (phase === 'done') return keep > 0 ? after(settings.undoMs - waited) : null;
  if (!isForward(record) || phase === 'waiting') return null;
  if (hold) return hold.forMs === null ? null : after(hold.forMs - waited);
  if (phase === 'baking') return after(settings.bakeMs - waited);
  const watched = gate && phase !== 'checking' && base === 0 ? settings.minHealthyMs - waited : 0;
  const sound = untilSound(input);
  return sound === null ? null : after(Math.max(watched, sound));
}

/** ms until as many new instances as the stage is after have served long enough; null: there are too few that serve. */
function untilSound({ record: { to, goal, settings }, instances }: RolloutInput): number | null {
  const left = instancesOf(to, instances)
    .filter(({ state }) => state === 'live')
    .map(({ healthyMs }) => Math.max(0, settings.minHealthyMs - healthyMs))
    .sort((a, b) => a - b);
  return goal === 0 ? 0 : (left[goal - 1] ?? null);
}

function after(ms: number): number | null {
  return ms > 0 ? ms : null;
}
