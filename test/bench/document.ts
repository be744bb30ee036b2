/**
 * `npm run bench -- document`: one changed document among 1,000 of 22 KB. Ours is everything from the request for the changed
 * document until the new whole can be got: fetched, checked, converted, joined, as JSON and as YAML, each also packed, as a whole
 * (in pieces, as dynamic mode serves it) and for its service, with what is collected as garbage meanwhile. Beside it the same with whole
 * files, as plain mode needs them. The peer is one `merge` of openapi-merge on documents read already, and its JSON as text: no
 * reading, checking, YAML, packing or writing. Rounds of ours and of the peer's take turns in one process, and its processor time is
 * counted, all threads and the system's work for them included. Then: how long the event loop of the process that does ours was held
 * up meanwhile, and what one answer costs nginx.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { createDocumentStore } from '../../proxy-daemon/document/document-store.ts';
import type { DocumentSource, DocumentTarget } from '../../proxy-daemon/document-source.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { type DocumentForm, writeDocument } from '../../proxy-daemon/nginx/served-document.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { answerRows } from './document-answers.ts';
import { documentOf } from './document-peer.ts';
import type { BenchResult, BenchRow } from './main.ts';

const services = 1_000;
const bytesEach = 22_000;
const rounds = 9;
/** One after the other: what one leaves to be collected is counted with those after it. */
const changesEachRound = 20;
const wholeChangesEachRound = 3;
const mergesEachRound = 3;
const targetRatio = 50;
const targetDelayMs = 20;
const info = { title: 'All', description: '' };

export async function run(): Promise<BenchResult> {
  const size = JSON.stringify(documentOf('service-500', 0)).length;
  if (Math.abs(size - bytesEach) > 2_000) throw new Error(`the documents are of ${size} bytes`);
  const origin = fork(new URL('./document-origin.ts', import.meta.url));
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-document-'));
  const store = createDocumentStore({ clock: systemClock, stateDir: join(dir, 'state'), refreshMs: 3_600_000 });
  try {
    const [port] = await once(origin, 'message');
    const { name, rows } = await measure(store, new Origin(port), join(dir, 'www'));
    return { name, rows: [...rows, ...(await answerRows(store))] };
  } finally {
    await store.close();
    origin.disconnect();
    await rm(dir, { recursive: true, force: true });
  }
}

/** The services, as a gateway sees them: what did not change is the same object (proxy-daemon/document-targets.ts). */
class Origin {
  readonly revisions = new Map<string, number>();
  readonly #port: number;
  targets: readonly DocumentTarget[];
  #next = 0;

  constructor(port: number) {
    this.#port = port;
    this.targets = Array.from({ length: services }, (_, index) => this.#target(`service-${index}`));
  }

  /** Changes one service. */
  change(): void {
    const at = (this.#next * 137) % services;
    this.#next += 1;
    const service = this.targets[at]?.service ?? '';
    this.revisions.set(service, this.#next);
    this.targets = this.targets.with(at, this.#target(service));
  }

  #target(service: string): DocumentTarget {
    const path = `/${service}/openapi.json?${this.revisions.get(service) ?? 0}`;
    return { service, version: '1', address: '127.0.0.1', port: this.#port, path, route: `/${service}` };
  }
}

async function measure(store: DocumentSource, origin: Origin, www: string): Promise<BenchResult> {
  const pieces = publisher(store, join(www, 'dynamic'), 'lists');
  const whole = publisher(store, join(www, 'plain'), 'whole');

  const loading = watchLoop();
  const began = performance.now();
  store.update(origin.targets, info);
  const isRead = () => store.current().sources.filter(({ state }) => state === 'fresh').length === services;
  await until(store, isRead);
  await pieces();
  const loadMs = performance.now() - began;
  const loadDelay = loading.end();

  await whole();
  const peerThread = new Worker(new URL('./document-peer.ts', import.meta.url));

  // Processor time of all threads: what it costs, whoever else is busy.
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const changeMs: number[] = [];
  const changeCpu: number[] = [];
  const mergeCpu: number[] = [];
  const joinCpu: number[] = [];
  const wholeCpu: number[] = [];
  const mergeMs: number[] = [];
  const changeOne = async () => {
    origin.change();
    const { digest } = store.current();
    store.update(origin.targets, info);
    await until(store, () => store.current().digest !== digest);
  };
  let delays: LoopDelay = { waitedMs: 0, ownMs: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const before = digestsOf(store);
    await quiet(cpu);
    const loop = watchLoop();
    const cpuBefore = cpu();
    let joined = 0;
    for (let count = 0; count < changesEachRound; count += 1) {
      const started = performance.now();
      await changeOne();
      const cpuMade = cpu();
      await pieces();
      joined += cpu() - cpuMade;
      changeMs.push(performance.now() - started);
    }
    changeCpu.push((cpu() - cpuBefore) / changesEachRound);
    joinCpu.push(joined / changesEachRound);
    const delay = loop.end();
    delays = { waitedMs: Math.max(delays.waitedMs, delay.waitedMs), ownMs: Math.max(delays.ownMs, delay.ownMs) };
    const after = digestsOf(store);
    const changed = [...after].filter(([service, digest]) => digest !== before.get(service)).length;
    if (changed !== changesEachRound) throw new Error(`${changed} documents changed in ${changesEachRound} changes`);
    // All of what changed until now, as whole files: not counted.
    await whole();
    await quiet(cpu);
    const cpuWhole = cpu();
    for (let count = 0; count < wholeChangesEachRound; count += 1) {
      await changeOne();
      await whole();
    }
    wholeCpu.push((cpu() - cpuWhole) / wholeChangesEachRound);
    const { ms, cpuMs } = await mergeAll(peerThread, origin.revisions, cpu);
    mergeMs.push(ms);
    mergeCpu.push(cpuMs);
  }

  await peerThread.terminate();
  const [ours, peer] = [median(changeCpu), median(mergeCpu)];
  const one = { unit: 'ms', peer: null, peerName: '', ratio: null, target: '', holds: null };
  const rows: BenchRow[] = [
    {
      metric: `processor time of one changed document of ${services}, ${changesEachRound} in a row`,
      unit: 'ms',
      ours,
      peer,
      peerName: 'openapi-merge, JSON only',
      ratio: peer / ours,
      target: `at least ${targetRatio} times cheaper`,
      holds: peer / ours >= targetRatio,
    },
    {
      ...one,
      metric: 'the same, the dearest of the rounds',
      ours: Math.max(...changeCpu),
      peer: Math.min(...mergeCpu),
      peerName: 'its cheapest',
      ratio: Math.min(...mergeCpu) / Math.max(...changeCpu),
    },
    {
      ...one,
      metric: 'the change, until the new whole can be got',
      ours: median(changeMs),
      peer: median(mergeMs),
      peerName: 'openapi-merge, JSON only',
    },
    { ...one, metric: 'of its processor time: writing the whole in pieces, in all forms', ours: median(joinCpu) },
    {
      ...one,
      metric: 'processor time of the same change with whole files (plain mode)',
      ours: median(wholeCpu),
      peer,
      peerName: 'openapi-merge, JSON only',
      ratio: peer / median(wholeCpu),
    },
    { ...one, metric: `all ${services} read for the first time`, ours: loadMs },
    loopRow('longest wait of the event loop while documents change', delays.waitedMs),
    loopRow('the same, time on the processor alone', delays.ownMs),
    loopRow(`longest wait of the event loop while ${services} are read`, loadDelay.waitedMs),
    loopRow('the same, time on the processor alone', loadDelay.ownMs),
  ];
  return { name: 'document', rows };
}

/** Puts the document of the moment where a gateway's nginx finds it, as its backend does. */
function publisher(store: DocumentSource, dir: string, form: DocumentForm): () => Promise<void> {
  const paths = gatewayPaths(dir);
  let generation = 0;
  return async () => {
    generation += 1;
    const show = await writeDocument(paths, form, generation, store.current());
    await show();
  };
}

function loopRow(metric: string, ours: number): BenchRow {
  const target = `under ${targetDelayMs} ms`;
  return {
    metric,
    unit: 'ms',
    ours,
    peer: null,
    peerName: '',
    ratio: ours / targetDelayMs,
    target,
    holds: ours < targetDelayMs,
  };
}

function digestsOf(store: DocumentSource): Map<string, string | undefined> {
  return new Map(store.current().sources.map(({ service, digest }) => [service, digest]));
}

/** Merges by the peer, in a thread of its own: what it leaves to be collected is not ours. Means of one. */
async function mergeAll(
  peer: Worker,
  revisions: ReadonlyMap<string, number>,
  cpu: () => number,
): Promise<{ ms: number; cpuMs: number }> {
  const prepared = once(peer, 'message');
  peer.postMessage({ services, revisions });
  await prepared;
  const [started, cpuBefore] = [performance.now(), cpu()];
  for (let count = 0; count < mergesEachRound; count += 1) {
    const merged = once(peer, 'message');
    peer.postMessage('merge');
    const [bytes] = await merged;
    if (bytes < services * bytesEach * 0.8) throw new Error(`openapi-merge left something out: ${bytes} bytes`);
  }
  return { ms: (performance.now() - started) / mergesEachRound, cpuMs: (cpu() - cpuBefore) / mergesEachRound };
}

async function until(store: DocumentSource, holds: () => boolean): Promise<void> {
  const changed = Promise.withResolvers<void>();
  const look = () => {
    if (holds()) changed.resolve();
  };
  const stop = store.onChange(look);
  look();
  await changed.promise;
  stop();
}

/** What was begun before is not this change's: files that are still being saved, another thread's garbage. At most ten seconds. */
async function quiet(cpu: () => number): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const before = cpu();
    await systemClock.sleep(200);
    if (cpu() - before < 5) return;
  }
}

interface LoopDelay {
  /** The longest time that nothing else could run, ms. */
  waitedMs: number;
  /** The longest time between two looks that this thread itself was on the processor, ms. */
  ownMs: number;
}

/** Watches this thread's event loop, by Node's own monitor, and by the time that it spent on the processor: others may take it. */
function watchLoop(): { end(): LoopDelay } {
  const resolution = 1;
  const monitor = monitorEventLoopDelay({ resolution });
  monitor.enable();
  let own = 0;
  let before = process.threadCpuUsage();
  const timer = setInterval(() => {
    const spent = process.threadCpuUsage(before);
    own = Math.max(own, (spent.user + spent.system) / 1000);
    before = process.threadCpuUsage();
  }, resolution);
  return {
    end() {
      clearInterval(timer);
      monitor.disable();
      return { waitedMs: monitor.max / 1e6, ownMs: own };
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
