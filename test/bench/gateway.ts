/**
 * `npm run bench -- gateway`: the dynamic gateway on a real ZooKeeper and a real nginx. How soon a change is served beside
 * plain mode's reloads, what the number of services costs, the data path beside static nginx upstreams and HAProxy, and
 * what is lost under steady changes and when an instance is killed.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findMaster, workersOf } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { runNginx } from '../../proxy-daemon/nginx/run-nginx.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { startBackendProcess } from '../helpers/backend-process.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { startLoad } from '../helpers/load.ts';
import { sampleRegistration } from '../helpers/sample-world.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { changes } from './changes.ts';
import { end, type MeasuredGateway, quantile, startMeasuredGateway, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow, PartsTable } from './main.ts';
import { type RawResult, rawLoad } from './raw-load.ts';

const dataRounds = 5;
const dataSeconds = 3;
const stormSeconds = 60;
const haproxyProgram = '/usr/sbin/haproxy';

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  const rows: BenchRow[] = [];
  const parts: PartsTable[] = [];
  const at = zooKeeper.connectString;
  try {
    const changed = await changes(at);
    rows.push(...changed.rows);
    parts.push(...changed.parts);
    rows.push(...(await dataPath(at)));
    rows.push(...(await losses(at)));
  } finally {
    await zooKeeper.stop();
  }
  return { name: 'gateway', rows, parts };
}

/** In a session of its own, as a gateway's nginx is: on a busy machine Linux shares the processors out by session. */
const asGateway = { detached: true, stdio: 'ignore' } as const;

interface Proxy {
  port: number;
  stop(): Promise<void>;
}

/** Two fast backends: an nginx of their own that answers by itself. */
async function startBackends(): Promise<Proxy & { ports: number[] }> {
  const ports = [await freePort(), await freePort()];
  const servers = ports.map((port) => `server { listen 127.0.0.1:${port}; location / { return 200 "{}"; } }`);
  const nginx = await startOwnNginx(servers.join('\n'));
  return { port: 0, ports, stop: nginx.stop };
}

async function startOwnNginx(http: string): Promise<{ stop(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-nginx-'));
  const file = join(dir, 'nginx.conf');
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`);
  const common = `access_log off; keepalive_requests 100000000; keepalive_timeout 75s; default_type text/plain;`;
  await writeFile(
    file,
    `worker_processes 2; worker_rlimit_nofile 16384; pid ${dir}/pid; daemon off; error_log ${dir}/error.log warn;
     events { worker_connections 4096; } http { ${common} ${temp.join(' ')} ${http} }`,
  );
  const test = await runNginx(['-t', '-q', '-c', file], dir);
  if (!test.ok) throw new Error(test.output);
  const child = spawn('/usr/sbin/nginx', ['-c', file], { cwd: dir, ...asGateway });
  return {
    async stop() {
      await end(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startStaticNginx(ports: number[]): Promise<Proxy> {
  const port = await freePort();
  const servers = ports.map((one) => `server 127.0.0.1:${one};`).join(' ');
  const nginx = await startOwnNginx(
    `upstream u { ${servers} keepalive 512; keepalive_requests 100000; } proxy_http_version 1.1; proxy_set_header Connection "";
     server { listen 127.0.0.1:${port}; location /dns/ { proxy_pass http://u/; } }`,
  );
  return { port, stop: nginx.stop };
}

async function startHaproxy(ports: number[]): Promise<Proxy | null> {
  if (!existsSync(haproxyProgram)) return null;
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-haproxy-'));
  const port = await freePort();
  const servers = ports.map((one, n) => `  server s${n} 127.0.0.1:${one}`).join('\n');
  const file = join(dir, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  maxconn 4096
  nbthread 2
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:${port}
  http-request replace-path /dns(/.*) \\1
  default_backend b
backend b
${servers}
`,
  );
  const child = spawn(haproxyProgram, ['-f', file, '-db'], { cwd: dir, ...asGateway });
  return {
    port,
    async stop() {
      await end(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function dataPath(zooKeeper: string): Promise<BenchRow[]> {
  const backends = await startBackends();
  const size = { mode: 'dynamic' as const, services: 1, instances: 1, port: backends.ports[0] ?? 0 };
  const gateway = await startMeasuredGateway(zooKeeper, 'data', size);
  const plain = await startMeasuredGateway(zooKeeper, 'data-plain', { ...size, mode: 'plain' });
  const fixed = await startStaticNginx(backends.ports);
  const haproxy = await startHaproxy(backends.ports);
  try {
    await gateway.register('dns', backends.ports);
    await plain.register('dns', backends.ports);
    const portOf = ({ url }: MeasuredGateway) => Number(new URL(url).port);
    const ports = { ours: portOf(gateway), plain: portOf(plain), fixed: fixed.port, haproxy: haproxy?.port ?? 0 };
    const found: Record<keyof typeof ports, RawResult[]> = { ours: [], plain: [], fixed: [], haproxy: [] };
    const names = (['ours', 'plain', 'fixed', 'haproxy'] as const).filter((name) => ports[name] > 0);
    for (const name of names) {
      await eventually(name, async () => (await statusOf(`http://127.0.0.1:${ports[name]}`, '/dns/x')) === 200, 20_000);
    }
    const cpu: Record<string, number[]> = { ours: [], plain: [] };
    const gateways = { ours: gateway, plain };
    for (let round = 0; round <= dataRounds; round += 1) {
      for (const name of names) {
        const measured = name === 'ours' || name === 'plain' ? gateways[name] : null;
        const before = measured ? workersCpuUs(measured) : 0;
        const result = await rawLoad(ports[name], '/dns/x', dataSeconds);
        if (measured) cpu[name]?.push((workersCpuUs(measured) - before) / (result.perSecond * dataSeconds));
        if (round > 0) found[name].push(result);
      }
    }
    const median = (name: keyof typeof ports, of: 'perSecond' | 'p99Ms') =>
      quantile(
        found[name].map((result) => result[of]),
        0.5,
      );
    const row = (peer: 'plain' | 'fixed' | 'haproxy', peerName: string, of: 'perSecond' | 'p99Ms'): BenchRow => {
      const [mine, theirs] = [median('ours', of), median(peer, of)];
      const isJudged = peer === 'plain';
      const ratio = mine / theirs;
      return {
        metric: of === 'perSecond' ? 'requests a second, 32 connections' : 'p99 of a request, 32 connections',
        unit: of === 'perSecond' ? '1/s' : 'ms',
        ours: mine,
        peer: theirs,
        peerName,
        ratio,
        target: isJudged ? 'within 5 %' : '',
        holds: isJudged ? (of === 'perSecond' ? ratio >= 0.95 : ratio <= 1.05) : null,
      };
    };
    const peers = [
      ['plain', 'static nginx upstreams, same headers and errors'],
      ['fixed', 'a bare nginx, no headers'],
      ...(haproxy ? [['haproxy', 'HAProxy'] as const] : []),
    ] as const;
    const used = { ours: quantile(cpu.ours ?? [], 0.5), plain: quantile(cpu.plain ?? [], 0.5) };
    return [
      ...peers.flatMap(([peer, name]) => [row(peer, name, 'perSecond'), row(peer, name, 'p99Ms')]),
      {
        metric: "processor time of nginx's workers a request",
        unit: 'us',
        ours: used.ours,
        peer: used.plain,
        peerName: 'static nginx upstreams, same headers and errors',
        ratio: used.ours / used.plain,
        target: '',
        holds: null,
      },
    ];
  } finally {
    await haproxy?.stop();
    await fixed.stop();
    await plain.stop();
    await gateway.stop();
    await backends.stop();
  }
}

/** What the workers of a gateway's nginx have used so far, in us. */
function workersCpuUs({ dir }: MeasuredGateway): number {
  const master = findMaster(gatewayPaths(dir));
  return (master === null ? [] : workersOf(master)).reduce((sum, { pid }) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [user = 0, system = 0] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    // In ticks of 10 ms.
    return sum + (user + system) * 10_000;
  }, 0);
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
