/**
 * What a machine finds out about itself before it may enter the pool: figures only. Whether they are good enough is judged by the
 * controller against what is declared, so that limits can change without the machine.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { median } from '../../specs/median.ts';
import type { Artifact } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import { readDocument } from '../recipes/versioned-document.ts';
import type { SelfTestFigure } from '../records.ts';
import type { RegistryClient } from '../registry-client.ts';
import { codecs } from '../store/codecs.ts';

const mib = 1024 ** 2;
/** Enough to show a bad disk or memory, little enough for a small machine under emulation. */
const diskBytes = 2 * mib;
const memoryBytes = 8 * mib;
const workBytes = 4 * mib;
const roundTrips = 5;
/** The longest wait for an artifact store's answer, ms. */
const storeMs = 5_000;

/** Disk, memory and processor. `dir` is where the machine works. Never rejects: what fails is a figure without a value. */
export async function measureMachine(dir: string, clock: Clock): Promise<SelfTestFigure[]> {
  return [...(await measureDisk(dir, clock)), ...measureMemory(), measureProcessor(clock)];
}

async function measureDisk(dir: string, clock: Clock): Promise<SelfTestFigure[]> {
  const speed = { name: 'disk-speed', unit: 'B/s' };
  const content = { name: 'disk-content', unit: 'faults' };
  const file = join(dir, '.self-test');
  try {
    await mkdir(dir, { recursive: true });
    const free = await freeSpace(dir);
    const written = randomBytes(diskBytes);
    const began = clock.monotonic();
    const read = await writeAndRead(file, written);
    const seconds = Math.max(1, clock.monotonic() - began) / 1000;
    return [
      ...free,
      {
        ...speed,
        value: Math.round(diskBytes / seconds),
        note: `${diskBytes / mib} MiB written, synced and read back`,
      },
      { ...content, value: digest(read) === digest(written) ? 0 : 1, note: 'read back against what was written' },
    ];
  } catch (error) {
    return [speed, content].map((figure) => ({ ...figure, value: null, note: messageOf(error) }));
  } finally {
    await rm(file, { force: true }).catch(() => {});
  }
}

/** None where the file system has no notion of it, as one in memory without a limit. */
async function freeSpace(dir: string): Promise<SelfTestFigure[]> {
  const { bsize, bavail, blocks } = await statfs(dir);
  return blocks > 0 ? [{ name: 'disk-free', unit: 'B', value: bsize * bavail }] : [];
}

async function writeAndRead(file: string, bytes: Buffer): Promise<Buffer> {
  const handle = await open(file, 'w+');
  try {
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.sync();
    const read = Buffer.alloc(bytes.length);
    await handle.read(read, 0, read.length, 0);
    return read;
  } finally {
    await handle.close();
  }
}

function measureMemory(): SelfTestFigure[] {
  const content = { name: 'memory-content', unit: 'faults' };
  const free = { name: 'memory', unit: 'B', value: process.availableMemory() };
  try {
    const pattern = randomBytes(4096);
    const block = Buffer.alloc(memoryBytes, pattern);
    let faults = 0;
    for (let at = 0; at < block.length; at += pattern.length) {
      if (block.compare(pattern, 0, pattern.length, at, at + pattern.length) !== 0) faults += 1;
    }
    return [free, { ...content, value: faults, note: `${memoryBytes / mib} MiB filled and compared` }];
  } catch (error) {
    return [free, { ...content, value: null, note: messageOf(error) }];
  }
}

function measureProcessor(clock: Clock): SelfTestFigure {
  const work = Buffer.alloc(workBytes, 7);
  const began = clock.monotonic();
  digest(work);
  const note = `sha256 of ${workBytes / mib} MiB; ${availableParallelism()} processors`;
  return { name: 'cpu', unit: 'ms', value: round(clock.monotonic() - began), note };
}

export interface NetworkTest {
  client: RegistryClient;
  machine: string;
  /** What the machine's agent says of itself: written again, its time of change tells the registry's clock. */
  text: string;
  /** Where this machine gets an artifact from. */
  sourceOf: (artifact: Artifact) => { url: string; headers?: Readonly<Record<string, string>> };
  clock: Clock;
  signal: AbortSignal;
}

/** The registry, its clock and the artifact stores. Rejects where the registry does not answer: then there is nobody to tell. */
export async function measureNetwork(test: NetworkTest): Promise<SelfTestFigure[]> {
  return [...(await measureRegistry(test)), ...(await measureStores(test))];
}

async function measureRegistry({ client, machine, text, clock, signal }: NetworkTest): Promise<SelfTestFigure[]> {
  const path = paths.agent(machine);
  const trips: number[] = [];
  for (let trip = 0; trip < roundTrips; trip += 1) {
    const began = clock.monotonic();
    await client.exists(path, { signal });
    trips.push(clock.monotonic() - began);
  }
  const [began, wall] = [clock.monotonic(), clock.now()];
  const { mtime } = await client.set(path, text, -1, { signal });
  const took = clock.monotonic() - began;
  // What the way there and back may explain is no difference.
  const offset = Math.max(0, Math.abs(mtime - (wall + took / 2)) - took / 2);
  return [
    { name: 'registry', unit: 'ms', value: round(median(trips) ?? 0), note: `median of ${roundTrips} round trips` },
    { name: 'clock', unit: 'ms', value: round(offset), note: "against the registry's clock" },
  ];
}

/** Of the stores that the ledger names for it, those that are asked by http; none where there is no such one. */
async function measureStores({ client, machine, sourceOf, signal }: NetworkTest): Promise<SelfTestFigure[]> {
  const ledger = await readDocument(client, paths.machine(machine), codecs.machine, { signal }).catch(() => null);
  const stores = new Map<string, ReturnType<NetworkTest['sourceOf']>>();
  for (const artifact of ledger?.record.stores ?? []) {
    const source = sourceOf(artifact);
    const url = URL.parse(source.url);
    if (url && /^https?:$/.test(url.protocol)) stores.set(url.origin, source);
  }
  const asked = [...stores];
  if (asked.length === 0) return [];
  const silent = await Promise.all(
    asked.map(async ([origin, source]) => ((await answers(source, signal)) ? [] : [origin])),
  );
  const missing = silent.flat();
  const note = missing.length > 0 ? `no answer from ${missing.join(', ')}` : asked.map(([origin]) => origin).join(', ');
  const value = asked.length - missing.length;
  return [{ name: 'artifact-stores', unit: 'reached', value, of: asked.length, note }];
}

/** Any answer shows that the way there works. */
async function answers({ url, headers }: ReturnType<NetworkTest['sourceOf']>, signal: AbortSignal): Promise<boolean> {
  try {
    const both = AbortSignal.any([signal, AbortSignal.timeout(storeMs)]);
    const reply = await request(url, { method: 'HEAD', headers: { ...headers }, reset: true, signal: both });
    await reply.body.dump();
    return true;
  } catch {
    return false;
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
