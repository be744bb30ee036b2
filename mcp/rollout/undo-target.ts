/** Where undo goes: to what really ran before what runs now, and never to what only was declared. Pure. */

import type { DesiredRecord } from '../../registrar/records.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { sameSide } from './sides.ts';

/**
 * The versions to go back to, with the counts and weights they had; null: nothing else ever ran. Rollouts that came to their
 * end tell it best. Without one the generations do, newest first: then the one before the present one that had instances.
 */
export function undoTarget(
  service: Service,
  rollout: RolloutRecord | null,
  history: readonly DesiredRecord[],
): Version[] | null {
  const running = runningVersions(service);
  const ended = rollout ? [...rollout.past, { ...rollout, outcome: rollout.phase }].reverse() : [];
  const last = ended.find(({ outcome, to }) => outcome === 'done' && sameSide(to, running));
  if (last) return last.from;
  // What a rollout was declared for and went back from never took over.
  const failed = ended.filter(({ outcome }) => outcome !== 'done').map(({ to }) => to);
  for (const { environment } of [...history].sort((a, b) => b.generation - a.generation)) {
    const before = environment.services.find(({ name }) => name === service.name);
    const ran = before ? runningVersions(before) : [];
    if (ran.length === 0 || sameSide(ran, running) || failed.some((side) => sameSide(side, ran))) continue;
    return ran;
  }
  return null;
}
