import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { EventRecord } from '../records.ts';
import type { CallOptions, MultiOp, RegistryClient, WatchHandle } from '../registry-client.ts';
import { codecs, decode, encode } from '../store/codecs.ts';
import { nameOf } from '../zookeeper/paths.ts';
import { required } from './format-registry.ts';
import { mapBounded } from './map-bounded.ts';
import { isOver, orAborted, stateError } from './state-signal.ts';

/** An event with its place in the log. */
export interface LoggedEvent extends EventRecord {
  /** Grows with each event; not without gaps. */
  sequence: number;
}

/** Events kept. */
const eventsKept = 1000;
const prefix = `${paths.events}/e_`;
const parallel = 64;
/** A follower that got no watch event for this long, in ms, looks by itself. */
const lookAgainMs = 10_000;

/** The operation that logs an event: put into the multi of the act itself, so that neither is without the other (P16). */
export function eventOp(event: EventRecord): MultiOp {
  return { op: 'create', path: prefix, mode: 'persistent-sequential', data: encode(codecs.event, event) };
}

/** Logs an event. Not tried again after a lost reply: an event may be missing then, but none is there twice. */
export async function appendEvent(
  client: RegistryClient,
  event: EventRecord,
  options: CallOptions = {},
): Promise<LoggedEvent> {
  const data = encode(codecs.event, event);
  const { path } = await client.create(prefix, data, { ...options, mode: 'persistent-sequential' });
  return { ...event, sequence: sequenceOf(nameOf(path)) ?? 0 };
}

/** Deletes the oldest events beyond `keep`; gives how many. Two who trim at once do no harm. */
export async function trimEvents(
  client: RegistryClient,
  keep: number = eventsKept,
  options: CallOptions = {},
): Promise<number> {
  const names = await eventNames(client, options);
  const old = names.slice(0, Math.max(0, names.length - keep));
  await mapBounded(old, parallel, async ({ name }) => {
    try {
      await client.delete(`${paths.events}/${name}`, -1, options);
    } catch (error) {
      if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    }
  });
  return old.length;
}

/** The newest `limit` events after sequence number `after`, oldest first. Nodes that are not events are left out. */
export async function readEvents(
  client: RegistryClient,
  options: CallOptions & { limit?: number; after?: number } = {},
): Promise<LoggedEvent[]> {
  const { limit = eventsKept, after = -1, signal } = options;
  const names = await eventNames(client, { signal });
  const wanted = names.filter(({ sequence }) => sequence > after).slice(-limit);
  const events = await mapBounded(wanted, parallel, async ({ name, sequence }) => {
    const path = `${paths.events}/${name}`;
    try {
      const { data } = await client.get(path, { signal });
      return { ...decode(codecs.event, path, data), sequence };
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE', 'RECORD_INVALID')) return null;
      throw error;
    }
  });
  return events.filter((event) => event !== null);
}

/**
 * Each event after sequence number `after` (absent: from the first kept), in order, then the new ones as they come. Ends when
 * `signal` aborts; a lost connection is waited out; throws when the session is over.
 */
export async function* followEvents(
  client: RegistryClient,
  clock: Clock,
  options: { signal: AbortSignal; after?: number },
): AsyncGenerator<LoggedEvent, void, undefined> {
  const { signal } = options;
  let after = options.after ?? -1;
  let changed = Promise.withResolvers<void>();
  let watch: WatchHandle | null = null;
  try {
    while (!signal.aborted) {
      const events: LoggedEvent[] = [];
      try {
        watch ??= await client.addWatch(paths.events, 'persistent', () => changed.resolve(), { signal });
        changed = Promise.withResolvers();
        events.push(...(await readEvents(client, { signal, after })));
      } catch (error) {
        if (signal.aborted) return;
        if (isOver(client.state)) throw stateError(client.state);
        if (!isMcpError(error) || !error.retryable) throw error;
        await clock.sleep(500, signal).catch(() => {});
        continue;
      }
      for (const event of events) {
        yield event;
        after = event.sequence;
      }
      await changeOrPause(changed.promise, clock, signal);
    }
  } finally {
    await watch?.close().catch(() => {});
  }
}

async function changeOrPause(changed: Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  const pause = new AbortController();
  const slept = clock.sleep(lookAgainMs, AbortSignal.any([signal, pause.signal])).catch(() => {});
  await orAborted(Promise.race([changed, slept]), signal).catch(() => {});
  pause.abort();
}

async function eventNames(client: RegistryClient, options: CallOptions): Promise<{ name: string; sequence: number }[]> {
  const { children } = await required(paths.events, client.children(paths.events, options));
  return children
    .flatMap((name) => {
      const sequence = sequenceOf(name);
      return sequence === null ? [] : [{ name, sequence }];
    })
    .sort((a, b) => a.sequence - b.sequence);
}

/** The number in an event's name, or null where it is not an event's name. */
function sequenceOf(name: string): number | null {
  const digits = /^e_(\d{10,})$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}
