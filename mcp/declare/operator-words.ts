/** What operators say of an instance, kept in the ledger: that it stays, or that it goes. The choice of who goes keeps to it. */
import { paths } from '../../registrar/layout.ts';
import { eventOp } from '../../registrar/recipes/event-log.ts';
import { readDocument, retryConflicts, type Versioned } from '../../registrar/recipes/versioned-document.ts';
import type { MachineRecord } from '../../registrar/records.ts';
import type { MultiOp, RegistryClient } from '../../registrar/registry-client.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import { McpError } from '../../specs/errors.ts';
import type { Author } from './change-version.ts';
import { readEpoch } from './epoch-now.ts';

/**
 * Protects an instance, or takes that back. One that was told to go and has not begun to is told so no more. Gives the record as
 * it is then, and whether this changed it. Errors: REFUSED_MACHINE where it runs no instance; WRITE_CONFLICT, WRITE_UNKNOWN.
 */
export function setProtection(
  client: RegistryClient,
  uuid: string,
  wanted: boolean,
  { author, reason, at }: Author,
): Promise<{ record: MachineRecord; changed: boolean }> {
  let written: MachineRecord | null = null;
  return retryConflicts(paths.machine(uuid), async () => {
    const found = await readDocument(client, paths.machine(uuid), codecs.machine);
    const record = instanceOf(found, uuid);
    // Also where the reply to this very write was lost.
    if ((record.protected !== undefined) === wanted) return { record, changed: written !== null };
    const { protected: _, toLeave, ...rest } = record;
    written = wanted ? { ...rest, protected: { by: author, reason, at } } : { ...rest, ...(toLeave && { toLeave }) };
    const said = { record: written, version: found?.version ?? 0 };
    const epoch = await readEpoch(client);
    await client.multi(opsOf(said, wanted ? 'protected' : 'unprotected', { author, reason, at }, epoch));
    return { record: written, changed: true };
  });
}

/** Tells an instance to go; once is enough. Errors: as of `setProtection`. */
export function tellToGo(client: RegistryClient, uuid: string, author: Author): Promise<unknown> {
  return retryConflicts(paths.machine(uuid), async () => {
    const found = await readDocument(client, paths.machine(uuid), codecs.machine);
    const record = instanceOf(found, uuid);
    if (record.toLeave) return;
    const epoch = await readEpoch(client);
    await client.multi(toldToGo({ record, version: found?.version ?? 0 }, author, epoch));
  });
}

/** What tells an instance to go, as operations of one multi. */
export function toldToGo({ record, version }: Versioned<MachineRecord>, author: Author, epoch: number): MultiOp[] {
  const { author: by, reason, at } = author;
  return opsOf({ record: { ...record, toLeave: { by, reason, at } }, version }, 'told-to-go', author, epoch);
}

function instanceOf(found: Versioned<MachineRecord> | null, uuid: string): MachineRecord {
  if (found?.record.state === 'claimed') return found.record;
  const state = found ? `is ${found.record.state}` : 'is no more';
  throw new McpError('REFUSED_MACHINE', `machine ${uuid} ${state}: only of one that runs a service can this be said`, {
    hint: '`mcp machines` shows which do.',
  });
}

/** P16: the ledger entry, at the version at which it was read, and its event in one multi. */
function opsOf(
  { record, version }: Versioned<MachineRecord>,
  what: 'protected' | 'unprotected' | 'told-to-go',
  { author, reason, at }: Author,
  epoch: number,
): MultiOp[] {
  const { uuid, claim } = record;
  const words = { protected: 'is protected', unprotected: 'is protected no more', 'told-to-go': 'is told to go' };
  return [
    { op: 'set', path: paths.machine(uuid), data: encode(codecs.machine, record), version },
    eventOp({
      at,
      actor: author,
      kind: `machine.${what}`,
      service: claim?.service,
      version: claim?.version,
      machine: uuid,
      message: `the instance of ${claim?.service} on machine ${uuid} ${words[what]}`,
      reason: reason || 'no reason given',
      epoch,
      // The entry's version at which it was said: nothing else can be said at that one.
      operation: `${what}-${uuid.slice(0, 8)}-${version}`,
    }),
  ];
}
