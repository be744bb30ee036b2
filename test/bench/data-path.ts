/**
 * `npm run bench -- data-path`: what a request costs in dynamic mode beside plain mode, whose upstreams are static, a bare nginx and
 * HAProxy, all in front of the same two backends. Part of `npm run bench -- gateway`.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMaster, workersOf } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { runNginx } from '../../proxy-daemon/nginx/run-nginx.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { end, type MeasuredGateway, quantile, startMeasuredGateway, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow, PartsTable } from './main.ts';
import { type RawResult, rawLoad } from './raw-load.ts';

/**
 * Very many short rounds. In each the kernel gives the connections to the workers anew, and the processors to whom it likes: the p99 of two
 * rounds of the same gateway differs by a third, be they of 0.3 s or of a second.
 */
const dataRounds = 400;
const requestsOfRound = 10_000;
/** Those that nothing is judged by have one of so many rounds. */
const roundsOfOthers = 8;
/** After so many rounds the gateways get new workers: where a process has its memory, and which code LuaJIT compiled, is luck of its own. */
const roundsOfWorkers = 10;
/** Requests of new workers that are not counted: LuaJIT compiles meanwhile. */
const warmingUp = 20_000;
const haproxyProgram = '/usr/sbin/haproxy';

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  try {
    return { name: 'data-path', ...(await dataPath(zooKeeper.connectString)) };
  } finally {
    await zooKeeper.stop();
  }
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

export async function dataPath(zooKeeper: string): Promise<{ rows: BenchRow[]; parts: PartsTable[] }> {
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
    const judged = ['ours', 'plain'] as const;
    const names = (['ours', 'plain', 'fixed', 'haproxy'] as const).filter((name) => ports[name] > 0);
    for (const name of names) {
      await eventually(name, async () => (await statusOf(`http://127.0.0.1:${ports[name]}`, '/dns/x')) === 200, 20_000);
    }
    const cpu: Record<string, number[]> = { ours: [], plain: [] };
    const gateways = { ours: gateway, plain };
    const load = (name: keyof typeof ports, requests: number) =>
      rawLoad(`http://127.0.0.1:${ports[name]}/dns/x`, requests);
    for (let round = 0; round < dataRounds; round += 1) {
      if (round % roundsOfWorkers === 0) {
        for (const one of [gateway, plain]) await renewWorkers(one);
        for (const name of judged) await load(name, warmingUp);
      }
      const inTurn = round % roundsOfOthers === 0 ? names : judged;
      for (const name of round % 2 === 0 ? inTurn : inTurn.toReversed()) {
        const measured = name === 'ours' || name === 'plain' ? gateways[name] : null;
        const before = measured ? workersCpuUs(measured) : 0;
        found[name].push(await load(name, requestsOfRound));
        if (measured) cpu[name]?.push((workersCpuUs(measured) - before) / requestsOfRound);
      }
    }
    const median = (name: keyof typeof ports, of: 'perSecond' | 'p99Ms') =>
      quantile(
        found[name].map((result) => result[of]),
        0.5,
      );
    // Of each round, one beside the other: the machine may be slower in some rounds than in others.
    const ratios = (peer: 'plain' | 'fixed' | 'haproxy', of: 'perSecond' | 'p99Ms') => {
      const every = peer === 'plain' ? 1 : roundsOfOthers;
      return found[peer].map((result, n) => (found.ours[n * every]?.[of] ?? Number.NaN) / result[of]);
    };
    const row = (peer: 'plain' | 'fixed' | 'haproxy', peerName: string, of: 'perSecond' | 'p99Ms'): BenchRow => {
      const isJudged = peer === 'plain';
      const ratio = quantile(ratios(peer, of), 0.5);
      return {
        metric: of === 'perSecond' ? 'requests a second, 32 connections' : 'p99 of a request, 32 connections',
        unit: of === 'perSecond' ? '1/s' : 'ms',
        ours: median('ours', of),
        peer: median(peer, of),
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
    const rows = [
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
    return { rows, parts: [spread(ratios('plain', 'perSecond'), ratios('plain', 'p99Ms'))] };
  } finally {
    await haproxy?.stop();
    await fixed.stop();
    await plain.stop();
    await gateway.stop();
    await backends.stop();
  }
}

/** How sure the ratios are. */
function spread(perSecond: readonly number[], p99: readonly number[]): PartsTable {
  const row = (part: string, value: (ratios: readonly number[]) => number) => ({
    part,
    values: [perSecond, p99].map((ratios) => Math.round(value(ratios) * 1000) / 1000),
  });
  return {
    title: `ratio to static upstreams, ${perSecond.length} rounds of ${requestsOfRound} requests`,
    unit: '',
    columns: ['requests a second', 'p99'],
    rows: [
      row('a quarter of the rounds is below', (ratios) => quantile(ratios, 0.25)),
      row('middle', (ratios) => quantile(ratios, 0.5)),
      row('a quarter of the rounds is above', (ratios) => quantile(ratios, 0.75)),
      row('standard error of the middle', errorOfMedian),
    ],
  };
}

/** By the quartiles' distance, as of a normal distribution: 1.25 times the mean's. */
function errorOfMedian(values: readonly number[]): number {
  const deviation = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.349;
  return (1.2533 * deviation) / Math.sqrt(values.length);
}

/** Other processes in their place, of the same master. */
async function renewWorkers({ dir, url }: MeasuredGateway): Promise<void> {
  const master = findMaster(gatewayPaths(dir)) ?? 0;
  const serving = () => workersOf(master).flatMap(({ pid, leaving }) => (leaving ? [] : [pid]));
  const before = serving();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  const isRenewed = () => {
    const now = serving();
    // A reload may have been under way: then there were more before.
    return now.length > 0 && now.every((pid) => !before.includes(pid));
  };
  await eventually('new workers', async () => isRenewed() && (await statusOf(url, '/dns/x')) === 200, 20_000);
}

/** What the workers of a gateway's nginx have used of the processors so far, us. */
function workersCpuUs({ dir }: MeasuredGateway): number {
  const master = findMaster(gatewayPaths(dir));
  return (master === null ? [] : workersOf(master)).reduce((sum, { pid }) => {
    const [ns = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return sum + Number(ns) / 1000;
  }, 0);
}
