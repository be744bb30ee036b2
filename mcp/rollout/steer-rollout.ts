/** What operators may say to a rollout that is under way. Pure. */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { McpError } from '../../specs/errors.ts';
import { isActive, isForward } from './rollout-input.ts';
import { namesOf } from './sides.ts';
import { type Cause, hold, release } from './transitions.ts';

/** Stands still until it is resumed; one that goes back can't be held up. */
export function pauseRollout(record: RolloutRecord, cause: Cause): RolloutRecord {
  requireForward(record);
  return record.hold?.kind === 'operator' ? record : hold(record, 'operator', null, cause);
}

/** Goes on after `pauseRollout`. */
export function resumeRollout(record: RolloutRecord, cause: Cause): RolloutRecord {
  requireForward(record);
  if (!record.hold) return record;
  if (record.hold.kind === 'operator') return release(record, cause);
  throw new McpError('REFUSED_ROLLOUT', `the rollout of ${record.service} holds by itself: ${record.hold.why}`, {
    hint: `If it may go on: mcp promote ${record.service}`,
  });
}

/** Past what it holds for; with `all`, past every pause that is still to come and without any more analysis. */
export function promoteRollout(record: RolloutRecord, all: boolean, cause: Cause): RolloutRecord {
  requireForward(record);
  if (!record.hold && !all) {
    throw new McpError('REFUSED_ROLLOUT', `the rollout of ${record.service} waits for nobody: ${record.why}`, {
      hint: `See mcp rollouts ${record.service}`,
    });
  }
  const { settings } = record;
  const overruled =
    all || record.hold?.kind === 'failed'
      ? { ...settings, analysis: null, allowBreaking: settings.allowBreaking ?? `${cause.why} (${cause.by})` }
      : settings;
  const paused = all ? settings.pauses.map((_, at) => at) : record.paused;
  return { ...release(record, cause), paused, settings: overruled };
}

/** An error unless there is a rollout that still goes forward. */
export function requireForward(record: RolloutRecord): void {
  if (isForward(record)) return;
  const { service, from, to, phase } = record;
  const what = isActive(record)
    ? `the rollout of ${service} goes back to ${namesOf(from)} already`
    : `the last rollout of ${service} to ${namesOf(to)} is ${phase}`;
  throw new McpError('REFUSED_ROLLOUT', what, {
    hint: phase === 'done' ? `To go back: mcp rollback ${service}` : `See mcp rollouts ${service}`,
  });
}
