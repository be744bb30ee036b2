/**
 * Tells machines that their registration is left out, and why: an ephemeral node each, which the machine's agent watches. Several
 * gateways say the same; whoever comes first has the node, and when it goes another one makes it again.
 */
import type { Clock } from '../registrar/clock.ts';
import { paths } from '../registrar/layout.ts';
import type { QuarantineRecord } from '../registrar/records.ts';
import type { RegistryClient } from '../registrar/registry-client.ts';
import { codecs, encode } from '../registrar/store/codecs.ts';
import { isMcpError } from '../specs/errors.ts';
import type { Rejected } from './routes/route-table.ts';

/** A flood of bad registrations must not become a flood of nodes. */
const mostTold = 200;
/** Between two looks at nodes that another gateway has, ms; after a failure too. */
const againMs = 5000;
const longestReason = 500;

export class QuarantineWriter {
  readonly #clock: Clock;
  readonly #gateway: string;
  #wanted: ReadonlyMap<string, QuarantineRecord> = new Map();
  #said: readonly Rejected[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(clock: Clock, gateway: string) {
    this.#clock = clock;
    this.#gateway = gateway;
  }

  /** What is left out from now on; only what is registered by a machine's agent is told. */
  say(rejected: readonly Rejected[]): void {
    const same =
      rejected.length === this.#said.length && rejected.every((one, index) => isSame(one, this.#said[index]));
    if (same) return;
    this.#said = rejected;
    const wanted = new Map<string, QuarantineRecord>();
    for (const { path, reason } of rejected) {
      const machine = machineOf(path);
      if (machine === null || wanted.size >= mostTold) continue;
      const known = this.#wanted.get(machine);
      const said = { machine, path, reason: reason.slice(0, longestReason), gateway: this.#gateway };
      wanted.set(machine, known && isSame(known, said) ? known : { ...said, at: this.#clock.now() });
    }
    this.#wanted = wanted;
    this.#wake.resolve();
  }

  /** Keeps the nodes true for the length of a session. */
  async run(client: RegistryClient, signal: AbortSignal): Promise<void> {
    const written = new Map<string, QuarantineRecord>();
    const stop = () => this.#wake.resolve();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      const isDone = await this.#pass(client, written, signal).catch(() => false);
      const pause = new AbortController();
      const again = isDone ? [] : [this.#clock.sleep(againMs, pause.signal).catch(() => {})];
      if (!signal.aborted) await Promise.race([this.#wake.promise, ...again]);
      pause.abort();
    }
  }

  /** True where all that is wanted is there by our own hand, and nothing else. */
  async #pass(client: RegistryClient, written: Map<string, QuarantineRecord>, signal: AbortSignal): Promise<boolean> {
    let isDone = true;
    for (const [machine] of written) {
      if (this.#wanted.has(machine)) continue;
      await client.delete(paths.quarantine(machine), -1, { signal }).catch(ignoreGone);
      written.delete(machine);
    }
    for (const [machine, record] of this.#wanted) {
      if (written.get(machine) === record) continue;
      const isOurs = await write(client, record, written.has(machine), signal);
      if (isOurs) written.set(machine, record);
      else isDone = false;
    }
    return isDone;
  }
}

/** True where the node is ours and says so; false where another gateway has it. */
async function write(
  client: RegistryClient,
  record: QuarantineRecord,
  isOurs: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const path = paths.quarantine(record.machine);
  const data = encode(codecs.quarantine, record);
  try {
    if (isOurs) await client.set(path, data, -1, { signal });
    else await client.create(path, data, { mode: 'ephemeral', signal });
    return true;
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NODE_EXISTS')) return false;
    if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    // A registry from before there was such a folder, or a node of ours that somebody took away.
    await client.create(paths.quarantines, '', { signal }).catch((failure: unknown) => {
      if (!isMcpError(failure, 'REGISTRY_NODE_EXISTS')) throw failure;
    });
    await client.create(path, data, { mode: 'ephemeral', signal });
    return true;
  }
}

function ignoreGone(error: unknown): void {
  if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
}

function isSame(a: { path: string; reason: string }, b: { path: string; reason: string } | undefined): boolean {
  return b !== undefined && a.path === b.path && a.reason === b.reason;
}

/** The machine whose agent registered at a path; null where none can have. */
function machineOf(path: string): string | null {
  return /^\/services\/[^/]+\/[^/]+\/([0-9A-Za-z][0-9A-Za-z._-]{0,63})$/.exec(path)?.[1] ?? null;
}
