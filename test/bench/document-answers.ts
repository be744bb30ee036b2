/**
 * What one answer with the whole merged document costs nginx: from pieces, as dynamic mode serves it, and as a static file, as plain
 * mode does. Both gateways serve the same document; their answers take turns.
 */
import { readFileSync } from 'node:fs';
import { request } from 'undici';
import type { DocumentSource } from '../../proxy-daemon/document-source.ts';
import { findMaster, workersOf } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { eventually } from '../helpers/eventually.ts';
import { type TestGateway, testGateway } from '../helpers/gateway.ts';
import type { BenchRow } from './main.ts';
import { memoryMb } from './process-costs.ts';

const answers = 15;

interface Side {
  gateway: TestGateway;
  worker: number;
  costs: number[];
}

export async function answerRows(documents: DocumentSource): Promise<BenchRow[]> {
  const endings: (() => Promise<void>)[] = [];
  const t = { teardown: (end: () => Promise<void>) => void endings.push(end) };
  try {
    const [pieces, whole] = [await startSide(t, 'dynamic', documents), await startSide(t, 'plain', documents)];
    const rows: BenchRow[] = [];
    for (const encoding of ['identity', 'gzip']) {
      for (const side of [pieces, whole]) side.costs = [];
      let bytes = 0;
      for (let round = 0; round < answers; round += 1) {
        for (const side of [pieces, whole]) bytes = await measureAnswer(side, encoding);
      }
      rows.push({
        metric: `processor time of nginx for one answer with the whole, ${encoding}: ${(bytes / 1e6).toFixed(1)} MB from pieces`,
        unit: 'ms',
        ours: median(pieces.costs),
        peer: median(whole.costs),
        peerName: 'as a static file',
        ...{ ratio: null, target: '', holds: null },
      });
    }
    rows.push({
      metric: 'memory of that nginx worker afterwards, its own',
      unit: 'MB',
      ours: memoryMb(pieces.worker).own,
      peer: memoryMb(whole.worker).own,
      peerName: 'as a static file',
      ...{ ratio: null, target: '', holds: null },
    });
    return rows;
  } finally {
    for (const end of endings.reverse()) await end();
  }
}

async function startSide(
  t: { teardown(end: () => Promise<void>): void },
  mode: 'dynamic' | 'plain',
  documents: DocumentSource,
): Promise<Side> {
  const gateway = await testGateway(t);
  // What it is made of is told elsewhere.
  const source = { ...documents, update: () => {}, current: () => documents.current(), close: async () => {} };
  gateway.start({ mode, workers: 1, documents: { ...source, onChange: (listener) => documents.onChange(listener) } });
  await eventually(
    'the document is served',
    async () =>
      (await request(`${gateway.url}/openapi.json`, { method: 'HEAD' }).catch(() => null))?.statusCode === 200,
    60_000,
  );
  const [worker] = workersOf(findMaster(gatewayPaths(gateway.dir)) ?? 0);
  if (worker === undefined) throw new Error('nginx has no worker');
  return { gateway, worker: worker.pid, costs: [] };
}

async function measureAnswer({ gateway, worker, costs }: Side, encoding: string): Promise<number> {
  const before = onProcessorMs(worker);
  const { body } = await request(`${gateway.url}/openapi.json`, { headers: { 'accept-encoding': encoding } });
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  costs.push(onProcessorMs(worker) - before);
  return bytes;
}

/** Time that the process has been on a processor, as the scheduler counts it, ms. */
function onProcessorMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
