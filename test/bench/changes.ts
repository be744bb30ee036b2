/**
 * `npm run bench -- changes`: how soon the gateway serves what changed. Beside plain mode's reloads, and by the number of
 * services. Also a part of `npm run bench -- gateway`.
 */
import { createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { freePort } from '../helpers/free-port.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { type MeasuredGateway, quantile, startMeasuredGateway } from './gateway-parts.ts';
import type { BenchResult, BenchRow, PartsTable } from './main.ts';
import { Prober } from './prober.ts';

/** With fewer than some hundred the 99th percentile would be the worst that happened, and that is often the machine's. */
const besidePlain: Rounds = { rounds: 80, ofFirst: 6 };
const besideSmall: Rounds = { rounds: 40, ofFirst: 1 };

interface Rounds {
  rounds: number;
  /** Changes of the first gateway in each; the second has one. */
  ofFirst: number;
}

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

/** From the moment on that a service is registered, asks for it until it is routed. */
async function routedAfter(gateway: MeasuredGateway, prober: Prober, service: string, port: number): Promise<Change> {
  const warm = performance.now();
  await prober.status('/service-0/');
  const began = performance.now();
  await gateway.register(service, [port]);
  const registered = performance.now();
  await prober.untilRouted(`/${service}/`);
  return { routed: performance.now() - began, registered: registered - began, asked: began - warm };
}

/** Two gateways in turn: so many changes in the one, then one in the other. */
async function interleaved(one: MeasuredGateway, other: MeasuredGateway, port: number, rounds: Rounds) {
  const [found, otherFound]: [Change[], Change[]] = [[], []];
  // Thousands of instances have been registered.
  collectGarbage();
  const probers = [one, other].map(({ url }) => new Prober(Number(new URL(url).port))) as [Prober, Prober];
  for (let round = 0; round < rounds.rounds; round += 1) {
    for (let n = 0; n < rounds.ofFirst; n += 1) {
      await idle();
      found.push(await routedAfter(one, probers[0], `new-${round}-${n}`, port));
    }
    await idle();
    otherFound.push(await routedAfter(other, probers[1], `new-${round}`, port));
  }
  for (const prober of probers) prober.close();
  return [found, otherFound] as const;
}

/**
 * Long enough for what a change leaves to be done, and out of step with what is done every so often. This process's own garbage is
 * collected here: else that would be in the time of whichever change it came to it.
 */
async function idle(): Promise<void> {
  collectGarbage({ type: 'minor' });
  await pause(150 + Math.random() * 100);
}

setFlagsFromString('--expose-gc');
const collectGarbage: (options?: { type: 'minor' }) => void = runInNewContext('gc');

async function beside(zooKeeper: string, port: number) {
  const size = { services: 1000, instances: 10, port };
  const dynamic = await startMeasuredGateway(zooKeeper, 'dynamic', { ...size, mode: 'dynamic' });
  const plain = await startMeasuredGateway(zooKeeper, 'plain', { ...size, mode: 'plain' });
  try {
    const [ours, theirs] = await interleaved(dynamic, plain, port, besidePlain);
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
    const [ours, theirs] = await interleaved(large, small, port, besideSmall);
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
