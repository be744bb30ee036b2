/** What the provider is asked, after the registry knows why. */
import { paths } from '../../registrar/layout.ts';
import { commit } from '../../registrar/recipes/epoch-guard.ts';
import type { MachineRecord } from '../../registrar/records.ts';
import { codecs, decode, encode } from '../../registrar/store/codecs.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import type { ProviderMachine } from '../../vm-factory/provider.ts';
import type { Action } from '../plan/plan.ts';
import type { ExecuteInput } from './execute-input.ts';
import { withDeadline } from './with-deadline.ts';

/** A provider's call that takes longer than this, ms, counts as unknown. */
const callDeadlineMs = 60_000;

/** Asks for the machine whose ledger entry was just made, and notes the answer there. Never rejects. */
export function createMachine(
  input: ExecuteInput,
  action: Extract<Action, { kind: 'create' }>,
  suspendedVersion: number,
): void {
  const ask = async () => {
    try {
      await mayStill(input, suspendedVersion);
      const machine = await call(input, (signal) => createOrFind(input, action, signal));
      await input.failpoint?.('create.answered');
      input.listener.created({ ok: true });
      await note(input, machine);
    } catch (error) {
      await explainFailure(input, action, error);
    }
  };
  input.slowCalls.start(action.uuid, ask, { urgent: action.urgent });
}

/** Asks to destroy a machine whose tombstone is written. Only the provider's list says when it is gone. Never rejects. */
export function destroyMachine(
  input: ExecuteInput,
  action: Extract<Action, { kind: 'destroy' }>,
  suspendedVersion: number,
): void {
  const { uuid, providerId } = action;
  input.listener.destroyAsked(uuid);
  input.slowCalls.start(uuid, async () => {
    try {
      await mayStill(input, suspendedVersion);
      await call(input, (signal) => input.provider.destroy({ uuid, providerId }, signal));
    } catch {
      // Nothing is concluded from it: while the provider lists the machine it is asked again.
    }
  });
}

/** P8, P13: a call that had to wait for its turn asks once more whether it may be made. */
async function mayStill({ client, epoch, signal }: ExecuteInput, suspendedVersion: number): Promise<void> {
  await commit(client, epoch, [{ op: 'check', path: paths.suspended, version: suspendedVersion }], { signal });
}

function call<T>({ clock, signal }: ExecuteInput, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withDeadline(clock, callDeadlineMs, signal, run);
}

/** P1's twin: a creation that may have worked is looked for by its operation before it is called anything else. */
async function createOrFind(
  { provider, clusterId, registry }: ExecuteInput,
  action: Extract<Action, { kind: 'create' }>,
  signal: AbortSignal,
): Promise<ProviderMachine> {
  const { uuid, operation, image, flavor, template } = action;
  try {
    return await provider.create({ uuid, operation, image, flavor, template, clusterId, registry }, signal);
  } catch (error) {
    if (!isMcpError(error, 'PROVIDER_UNKNOWN')) throw error;
    const found = await provider.find(operation, signal);
    if (found) return found;
    throw error;
  }
}

async function note({ client, epoch, listener, signal }: ExecuteInput, machine: ProviderMachine): Promise<void> {
  const path = paths.machine(machine.uuid);
  const { data, stat } = await client.get(path, { signal });
  const record = decode(codecs.machine, path, data);
  const changed: MachineRecord = { ...record, providerId: machine.providerId, address: machine.address, epoch };
  const results = await commit(
    client,
    epoch,
    [{ op: 'set', path, data: encode(codecs.machine, changed), version: stat.version }],
    { signal },
  );
  listener.wrote(results[0]?.stat?.mzxid ?? 0);
}

/**
 * Where nothing was made the ledger entry goes again; where that is not certain it stays, and the provider's list or the time
 * decides.
 */
async function explainFailure(
  { client, epoch, listener, signal }: ExecuteInput,
  action: Extract<Action, { kind: 'create' }>,
  error: unknown,
): Promise<void> {
  if (signal.aborted) return;
  const message = error instanceof Error ? error.message : String(error);
  const refused = isMcpError(error, 'PROVIDER_REFUSED');
  const nothingMade = refused || isMcpError(error, 'PROVIDER_UNAVAILABLE');
  const providerSaid = error instanceof McpError && error.code.startsWith('PROVIDER_');
  if (providerSaid) listener.created({ ok: false, message, refused });
  if (!nothingMade) return;
  const path = paths.machine(action.uuid);
  await commit(client, epoch, [{ op: 'delete', path, version: 0 }], { signal }).catch(() => {});
}
