/** /pool follows what the leader remembers of the pool, so that a successor knows it too. */
import { paths } from '../../registrar/layout.ts';
import { commit } from '../../registrar/recipes/epoch-guard.ts';
import type { PoolRecord } from '../../registrar/records.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import { emptyPoolRecord } from '../plan/pool-record.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import type { ExecuteInput } from './execute-input.ts';
import { withDeadline } from './with-deadline.ts';

/** The longest wait for the provider's word on its paused machines, ms: nothing depends on it. */
const pausedMs = 2_000;

/** Writes `record` where the registry holds something else. What others write at the same time wins: the next look decides. */
export async function keepPoolRecord(input: ExecuteInput, { pool }: Snapshot, record: PoolRecord): Promise<void> {
  const { client, epoch, signal, listener } = input;
  const paused = await pausedMachines(input);
  const data = encode(codecs.pool, { ...record, ...(paused === undefined ? {} : { paused }) });
  const known = pool?.record ?? (pool ? null : emptyPoolRecord);
  if (known && data === encode(codecs.pool, known)) return;
  const path = paths.pool;
  const op = pool
    ? ({ op: 'set', path, data, version: pool.version } as const)
    : ({ op: 'create', path, data } as const);
  try {
    const [result] = await commit(client, epoch, [op], { signal });
    listener.wrote(result?.stat?.mzxid ?? 0);
  } catch (error) {
    if (!isMcpError(error, 'WRITE_CONFLICT', 'WRITE_UNKNOWN')) throw error;
  }
}

async function pausedMachines({ provider, clock, signal }: ExecuteInput): Promise<number | undefined> {
  const ask: MachineProvider['paused'] = provider.paused?.bind(provider);
  if (!ask) return undefined;
  return withDeadline(clock, pausedMs, signal, ask).catch(() => undefined);
}
