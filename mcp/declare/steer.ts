/** `mcp rollouts pause|resume` and `mcp promote`: one guarded write, with its event. */

import { paths } from '../../registrar/layout.ts';
import { readRollout } from '../../registrar/recipes/rollout-documents.ts';
import { retryConflicts } from '../../registrar/recipes/versioned-document.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Cause } from '../rollout/transitions.ts';
import { type Author, noRollout, rolloutEvent, rolloutOp } from './change-version.ts';
import { readEpoch } from './epoch-now.ts';

/**
 * Changes the record of a rollout by a pure transition, again where the controller was faster. Errors: those of the
 * transition; USAGE_UNKNOWN_NAME where the service was never rolled out.
 */
export function steer(
  client: RegistryClient,
  service: string,
  what: 'paused' | 'resumed' | 'promoted',
  author: Author,
  change: (record: RolloutRecord, cause: Cause) => RolloutRecord,
): Promise<RolloutRecord> {
  return retryConflicts(paths.rollout(service), async () => {
    const read = await readRollout(client, service);
    if (!read) throw noRollout(service);
    const why = author.reason || `${what} by an operator`;
    const next = change(read.record, { by: author.author, why, now: author.at });
    if (next === read.record) return next;
    await client.multi([
      rolloutOp({ rollouts: { [service]: read } }, next),
      rolloutEvent(next, what, { ...author, reason: why }, await readEpoch(client)),
    ]);
    return next;
  });
}
