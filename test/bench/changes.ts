/**
 * `npm run bench -- changes`: how soon the gateway serves what changed. Beside plain mode's reloads, and by the number of
 * services. Also a part of `npm run bench -- gateway`.
 */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../helpers/free-port.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { type MeasuredGateway, quantile, startMeasuredGateway } from './gateway-parts.ts';
import type { BenchResult, BenchRow, PartsTable } from './main.ts';

const changeRounds = 25;

/** Of one change, ms. */
interface Change {
  /** From the registration's first byte to its first routed request. */
  routed: number;
  /** Until ZooKeeper said that the registration is made. */
  registered: number;
  /** What one request costs whoever asks: one that is answered at once. */
  asked: number;
}

export async function run(): Promise<BenchResult> {
  const zooKeeper = await startZooKeeper();
  try {
    return { name: 'changes', ...(await changes(zooKeeper.connectString)) };
  } finally {
    await zooKeeper.stop();
  }
}

export async function changes(zooKeeper: string): Promise<{ rows: BenchRow[]; parts: PartsTable[] }> {
  const backend = await startBackend();
  try {
    const one = await beside(zooKeeper, backend.port);
    const other = await bySize(zooKeeper, backend.port);
    return { rows: [...one.rows, ...other.rows], parts: [...one.parts, ...other.parts] };
  } finally {
    await backend.stop();
  }
}

/** The instance behind all routes: as with whoever asks, what it costs is measured along. */
async function startBackend() {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks for a service again and again, each time on a connection of its own, from the moment on that it is registered. */
async function routedAfter(gateway: MeasuredGateway, service: string, port: number): Promise<Change> {
  const at = Number(new URL(gateway.url).port);
  const warm = performance.now();
  await statusOf(at, '/service-0/');
  const began = performance.now();
  await gateway.register(service, [port]);
  const registered = performance.now();
  while ((await statusOf(at, `/${service}/`)) !== '200') await pause(0);
  return { routed: performance.now() - began, registered: registered - began, asked: began - warm };
}

/** Status of a GET on a fresh connection; with as little work as there can be, since what it costs is measured along. */
function statusOf(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').setNoDelay();
    const end = (status: string) => {
      socket.destroy();
      resolve(status);
    };
    // `HTTP/1.1 200` comes in one piece.
    socket.once('data', (bytes) => end(bytes.toString('latin1', 9, 12)));
    socket.once('error', () => end(''));
    socket.once('close', () => end(''));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n`);
  });
}

/** Two gateways, one change in each in turn. */
async function interleaved(one: MeasuredGateway, other: MeasuredGateway, port: number) {
  const [found, otherFound]: [Change[], Change[]] = [[], []];
  for (let round = 0; round < changeRounds; round += 1) {
    await pause(300);
    found.push(await routedAfter(one, `new-${round}`, port));
    await pause(300);
    otherFound.push(await routedAfter(other, `new-${round}`, port));
  }
  return [found, otherFound] as const;
}

async function beside(zooKeeper: string, port: number) {
  const size = { services: 1000, instances: 10, port };
  const dynamic = await startMeasuredGateway(zooKeeper, 'dynamic', { ...size, mode: 'dynamic' });
  const plain = await startMeasuredGateway(zooKeeper, 'plain', { ...size, mode: 'plain' });
  try {
    const [ours, theirs] = await interleaved(dynamic, plain, port);
    const row = (share: number, target: string, holds: (ours: number, theirs: number) => boolean): BenchRow => {
      const [mine, peer] = [of(ours, 'routed', share), of(theirs, 'routed', share)];
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
    const rows = [
      row(0.5, '50 times faster', (mine, peer) => peer / mine >= 50),
      row(0.99, 'p99 < 20 ms', (mine) => mine < 20),
    ];
    return { rows, parts: [partsOf('1,000 services x 10, p50', ['dynamic', 'plain'], [ours, theirs])] };
  } finally {
    await dynamic.stop();
    await plain.stop();
  }
}

async function bySize(zooKeeper: string, port: number) {
  const small = await startMeasuredGateway(zooKeeper, 'small', { mode: 'dynamic', services: 10, instances: 1, port });
  const large = await startMeasuredGateway(zooKeeper, 'large', {
    mode: 'dynamic',
    services: 10_000,
    instances: 1,
    port,
  });
  try {
    const [ours, theirs] = await interleaved(large, small, port);
    const [mine, peer] = [of(ours, 'routed', 0.5), of(theirs, 'routed', 0.5)];
    const row: BenchRow = {
      metric: 'registration made to first routed request p50, 10,000 services',
      unit: 'ms',
      ours: mine,
      peer,
      peerName: 'the same with 10 services',
      ratio: mine / peer,
      target: '<= 1.5 times',
      holds: mine / peer <= 1.5,
    };
    return { rows: [row], parts: [partsOf('one instance each, p50', ['10,000 services', '10'], [ours, theirs])] };
  } finally {
    await small.stop();
    await large.stop();
  }
}

function of(found: readonly Change[], what: keyof Change, share: number): number {
  return quantile(
    found.map((change) => change[what]),
    share,
  );
}

/** What of it is not the gateway's: before that nobody can be faster. */
function partsOf(title: string, columns: string[], found: readonly (readonly Change[])[]): PartsTable {
  const part = (name: string, what: keyof Change) => ({
    part: name,
    values: found.map((changes) => Math.round(of(changes, what, 0.5) * 10) / 10),
  });
  return {
    title,
    unit: 'ms',
    columns,
    rows: [
      part('all', 'routed'),
      part("of it until ZooKeeper's answer to whoever registers", 'registered'),
      part('one request that is answered at once', 'asked'),
    ],
  };
}
