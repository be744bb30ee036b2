/**
 * `npm run bench -- gateway`: the dynamic gateway on a real ZooKeeper and a real nginx. How soon a change is served beside
 * plain mode's reloads, what the number of services costs, the data path beside static nginx upstreams and HAProxy, and
 * what is lost under steady changes and when an instance is killed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../registrar/system-clock.ts';
import { startBackendProcess } from '../helpers/backend-process.ts';
import { eventually } from '../helpers/eventually.ts';
import { startLoad } from '../helpers/load.ts';
import { sampleRegistration } from '../helpers/sample-world.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { changes } from './changes.ts';
import { dataPath } from './data-path.ts';
import { type MeasuredGateway, startMeasuredGateway, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow, PartsTable } from './main.ts';

const stormSeconds = 60;

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  const rows: BenchRow[] = [];
  const parts: PartsTable[] = [];
  const at = zooKeeper.connectString;
  try {
    const changed = await changes(at);
    rows.push(...changed.rows);
    parts.push(...changed.parts);
    const path = await dataPath(at);
    rows.push(...path.rows);
    parts.push(...path.parts);
    rows.push(...(await losses(at)));
  } finally {
    await zooKeeper.stop();
  }
  return { name: 'gateway', rows, parts };
}

/** Counts what fails: under steady changes, and when one of two instances is killed. */
async function losses(zooKeeper: string): Promise<BenchRow[]> {
  const stops: (() => Promise<void>)[] = [];
  const t = { teardown: (fn: () => Promise<void>) => void stops.push(fn) };
  try {
    const [stays, dies] = [await startBackendProcess(t, 'stays'), await startBackendProcess(t, 'dies')];
    const size = { mode: 'dynamic' as const, services: 100, instances: 2, port: stays.port };
    const gateway = await startMeasuredGateway(zooKeeper, 'losses', size);
    stops.push(gateway.stop);
    await gateway.register('dns', [stays.port, dies.port]);
    await eventually('routed', async () => (await statusOf(gateway.url, '/dns/x')) === 200, 20_000);
    const storm = await changesUnderLoad(gateway, dies.port);
    const killed = await killUnderLoad(gateway, dies.kill);
    return [
      zero(
        `failed requests in ${stormSeconds} s of ${Math.round(storm.rate)} changes a second, ${storm.requests} GET and POST`,
        storm.failed,
      ),
      zero(`failed GET when one of two instances is killed, ${killed.requests} requests`, killed.failed),
    ];
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function zero(metric: string, failed: number): BenchRow {
  const common = { peer: null, peerName: '', ratio: null, target: '0' };
  return { metric, unit: 'requests', ours: failed, ...common, holds: failed === 0 };
}

async function changesUnderLoad(gateway: MeasuredGateway, port: number) {
  const load = startLoad(
    gateway.url,
    [
      { method: 'GET', path: '/dns/x' },
      { method: 'POST', path: '/dns/x', body: '{}' },
    ],
    { clients: 32, pauseMs: 5 },
  );
  const { path, record } = sampleRegistration('dns', '1', 2, { address: '127.0.0.1', port });
  const began = systemClock.monotonic();
  let changes = 0;
  while (systemClock.monotonic() - began < stormSeconds * 1000) {
    const state = changes % 2 === 0 ? 'draining' : 'up';
    await gateway.client.set(path, JSON.stringify({ ...record, state }));
    changes += 1;
    await pause(Math.max(0, began + changes * 10 - systemClock.monotonic()));
  }
  await gateway.client.set(path, JSON.stringify(record));
  const { failures, requests } = await load.stop();
  return { failed: failures.length, requests, rate: changes / stormSeconds };
}

async function killUnderLoad(gateway: MeasuredGateway, kill: () => Promise<void>) {
  const load = startLoad(gateway.url, [{ method: 'GET', path: '/dns/x' }], { clients: 64, pauseMs: 2 });
  await pause(2000);
  await kill();
  await pause(8000);
  const { failures, requests } = await load.stop();
  return { failed: failures.length, requests };
}
