/**
 * `npm run bench -- route`: on a real ZooKeeper and a real nginx, a registration made to its first routed request with 10, 100
 * and 1,000 services, the daemon's own part of it, and what reloads cost keep-alive clients without retries. The peer is
 * nginx alone in the same run: `nginx -t`, SIGHUP and the first answer of the new configuration, by hand.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stopNginx } from '../../proxy-daemon/main.ts';
import { findMaster } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import type { StatusReport } from '../../proxy-daemon/status-report.ts';
import { paths } from '../../registrar/layout.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { ask } from '../helpers/ask.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { type LoadResult, startLoad } from '../helpers/load.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { listen, quantile, registerInstances, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow } from './main.ts';

const daemonScript = fileURLToPath(new URL('../helpers/gateway-process.ts', import.meta.url));
const sizes = [10, 100, 1000];
const rounds = 25;
/** Short, and each round waits longer, so that what is measured is the first change after a quiet time. */
const reloadIntervalMs = 100;
const loadClients = 64;
const loadReloads = 20;
/** The size that the targets speak of. */
const judgedAt = 100;
const ownTargetMs = 5;

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  const { server, port } = await listen((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => response.end('{}'));
  });
  const rows: BenchRow[] = [];
  try {
    for (const size of sizes) rows.push(...(await measure(size, zooKeeper.connectString, port)));
  } finally {
    server.closeAllConnections();
    server.close();
    await zooKeeper.stop();
  }
  return { name: 'route', rows };
}

interface Bench {
  dir: string;
  url: string;
  client: RegistryClient;
  register(service: string): Promise<void>;
}

async function measure(size: number, zooKeeper: string, backendPort: number): Promise<BenchRow[]> {
  const chroot = `/size-${size}`;
  const maker = await connectZooKeeper(zooKeeper);
  await maker.create(chroot);
  await maker.close();
  const registry = `${zooKeeper}${chroot}`;
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-route-'));
  const client = await connectZooKeeper(registry);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const bench: Bench = { dir, url, client, register: (service) => registerInstances(client, service, [backendPort]) };
  for (const path of [paths.services, paths.gateways, paths.history]) await client.create(path);
  for (let at = 0; at < size; at += 50) {
    await Promise.all(Array.from({ length: Math.min(50, size - at) }, (_, n) => bench.register(`service-${at + n}`)));
  }
  const words = [daemonScript, registry, dir, String(port), String(reloadIntervalMs), 'plain'];
  const daemon = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await eventually(
      'all services are routed',
      async () => (await statusOf(url, `/service-${size - 1}/`)) === 200,
      60_000,
    );
    const rows = await registrations(size, bench);
    return size === judgedAt ? [...rows, ...(await reloadLosses(bench))] : rows;
  } finally {
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
    await stopNginx(dir, systemClock, 1000);
    await client.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Interleaved: one registration, then one reload of nginx by hand. */
async function registrations(size: number, bench: Bench): Promise<BenchRow[]> {
  const routed: number[] = [];
  const own: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause(reloadIntervalMs * 2);
    const service = `new-${round}`;
    const began = performance.now();
    await bench.register(service);
    while ((await statusOf(bench.url, `/${service}/`)) !== 200) await pause(1);
    routed.push(performance.now() - began);
    const served = await eventually('the generation is told', async () => {
      const status = JSON.parse((await ask(`${bench.url}/status.json`)).body) as StatusReport;
      return status.routes.some((route) => route.service === service) ? status.publications.at(-1) : null;
    });
    own.push(served.ownMs);
    await pause(reloadIntervalMs * 2);
    alone.push(await reloadByHand(bench, round));
  }
  const row = (metric: string, ours: number, peer: number): BenchRow => ({
    metric: `${metric}, ${size} services`,
    unit: 'ms',
    ours,
    peer,
    peerName: 'nginx -t, HUP, first new answer',
    ratio: ours / peer,
    target: '',
    holds: null,
  });
  const isJudged = size === judgedAt;
  return [
    row('registration made to first routed request p50', quantile(routed, 0.5), quantile(alone, 0.5)),
    row('registration made to first routed request p99', quantile(routed, 0.99), quantile(alone, 0.99)),
    {
      metric: `daemon's own part (event to signal sent, without nginx -t) p50, ${size} services`,
      unit: 'ms',
      ours: quantile(own, 0.5),
      peer: null,
      peerName: '',
      ratio: null,
      target: isJudged ? `< ${ownTargetMs} ms` : '',
      holds: isJudged ? quantile(own, 0.5) < ownTargetMs : null,
    },
  ];
}

/** Adds a location to the configuration in place, as a script would, and waits for it to answer. */
async function reloadByHand({ dir, url }: Bench, round: number): Promise<number> {
  const { config } = gatewayPaths(dir);
  const text = await readFile(config, 'utf8');
  const probe = `/by-hand-${round}`;
  const master = findMaster(gatewayPaths(dir));
  if (master === null) throw new Error('nginx does not run');
  const began = performance.now();
  const changed = text.replace('server_name _;', `server_name _; location = ${probe} { return 200 "by hand"; }`);
  await writeFile(`${config}.by-hand`, changed);
  const test = spawnSync('/usr/sbin/nginx', ['-t', '-q', '-c', `${config}.by-hand`], { cwd: dir });
  if (test.status !== 0) throw new Error(String(test.stderr));
  await rename(`${config}.by-hand`, config);
  process.kill(master, 'SIGHUP');
  while ((await statusOf(url, probe)) !== 200) await pause(1);
  const took = performance.now() - began;
  await writeFile(config, text);
  return took;
}

/** Keep-alive clients without retries, GET and POST, while generations change. */
async function reloadLosses(bench: Bench): Promise<BenchRow[]> {
  const load = startLoad(
    bench.url,
    [
      { method: 'GET', path: '/service-1/x' },
      { method: 'POST', path: '/service-2/x', body: '{"a":1}' },
    ],
    { clients: loadClients, pauseMs: 2 },
  );
  for (let reload = 0; reload < loadReloads; reload += 1) {
    await pause(reloadIntervalMs * 3);
    await bench.register(`under-load-${reload}`);
    await eventually('routed', async () => (await statusOf(bench.url, `/under-load-${reload}/`)) === 200, 30_000);
  }
  const result = await load.stop();
  const failed = (method: string) => result.failures.filter((failure) => failure.method === method).length;
  const per = (value: number, unit: string, metric: string): BenchRow => ({
    metric: `${metric}, ${loadClients} keep-alive clients without retries`,
    unit,
    ours: value,
    peer: null,
    peerName: 'nginx 1.22 itself; none with 1.27.4 and later',
    ratio: null,
    target: '',
    holds: null,
  });
  return [
    per(failed('GET') / loadReloads, 'requests', 'failed GET a reload'),
    per(failed('POST') / loadReloads, 'requests', 'failed POST a reload'),
    per(shareOf(result), '%', `failed of all requests in ${loadReloads} reloads`),
  ];
}

function shareOf({ failures, requests }: LoadResult): number {
  return (failures.length / requests) * 100;
}
