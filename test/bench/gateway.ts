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
import { dataPath } from './data-path.ts';
import { listen, type MeasuredGateway, quantile, startMeasuredGateway, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow } from './main.ts';

const changeRounds = 25;
const stormSeconds = 60;

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  const { server, port } = await listen((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => response.end('{}'));
  });
  const rows: BenchRow[] = [];
  const at = zooKeeper.connectString;
  try {
    rows.push(...(await beside(at, port)));
    rows.push(...(await bySize(at, port)));
    rows.push(...(await dataPath(at)));
    rows.push(...(await losses(at)));
  } finally {
    server.closeAllConnections();
    server.close();
    await zooKeeper.stop();
  }
  return { name: 'gateway', rows };
}

/** ms from a registration to its first routed request. */
async function routedAfter(gateway: MeasuredGateway, service: string, port: number): Promise<number> {
  const began = performance.now();
  await gateway.register(service, [port]);
  while ((await statusOf(gateway.url, `/${service}/`)) !== 200) await pause(0);
  return performance.now() - began;
}

/** Two gateways, one change in each in turn. */
async function interleaved(one: MeasuredGateway, other: MeasuredGateway, port: number) {
  const [times, otherTimes]: [number[], number[]] = [[], []];
  for (let round = 0; round < changeRounds; round += 1) {
    await pause(300);
    times.push(await routedAfter(one, `new-${round}`, port));
    await pause(300);
    otherTimes.push(await routedAfter(other, `new-${round}`, port));
  }
  return [times, otherTimes] as const;
}

async function beside(zooKeeper: string, port: number): Promise<BenchRow[]> {
  const size = { services: 1000, instances: 10, port };
  const dynamic = await startMeasuredGateway(zooKeeper, 'dynamic', { ...size, mode: 'dynamic' });
  const plain = await startMeasuredGateway(zooKeeper, 'plain', { ...size, mode: 'plain' });
  try {
    const [ours, theirs] = await interleaved(dynamic, plain, port);
    const row = (share: number, target: string, holds: (ours: number, theirs: number) => boolean): BenchRow => {
      const [mine, peer] = [quantile(ours, share), quantile(theirs, share)];
      return {
        metric: `registration made to first routed request p${share * 100}, 1,000 services x 10`,
        unit: 'ms',
        ours: mine,
        peer,
        peerName: 'plain mode: nginx -t and reload',
        ratio: peer / mine,
        target,
        holds: holds(mine, peer),
      };
    };
    return [
      row(0.5, '50 times faster', (mine, peer) => peer / mine >= 50),
      row(0.99, 'p99 < 20 ms', (mine) => mine < 20),
    ];
  } finally {
    await dynamic.stop();
    await plain.stop();
  }
}

async function bySize(zooKeeper: string, port: number): Promise<BenchRow[]> {
  const small = await startMeasuredGateway(zooKeeper, 'small', { mode: 'dynamic', services: 10, instances: 1, port });
  const large = await startMeasuredGateway(zooKeeper, 'large', {
    mode: 'dynamic',
    services: 10_000,
    instances: 1,
    port,
  });
  try {
    const [ours, theirs] = await interleaved(large, small, port);
    const [mine, peer] = [quantile(ours, 0.5), quantile(theirs, 0.5)];
    return [
      {
        metric: 'registration made to first routed request p50, 10,000 services',
        unit: 'ms',
        ours: mine,
        peer,
        peerName: 'the same with 10 services',
        ratio: mine / peer,
        target: '<= 1.5 times',
        holds: mine / peer <= 1.5,
      },
    ];
  } finally {
    await small.stop();
    await large.stop();
  }
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
