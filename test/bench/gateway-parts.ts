/** What the benchmarks of the gateway share. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopNginx } from '../../proxy-daemon/main.ts';
import { paths } from '../../registrar/layout.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { ask } from '../helpers/ask.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { sampleRegistration } from '../helpers/sample-world.ts';

const daemonScript = fileURLToPath(new URL('../helpers/gateway-process.ts', import.meta.url));

export interface MeasuredGateway {
  url: string;
  dir: string;
  client: RegistryClient;
  /** Registers a service with an instance on each of the ports. */
  register(service: string, ports: number[]): Promise<void>;
  stop(): Promise<void>;
}

/** A daemon in a process of its own, with its own part of the registry, that holds so many services already. */
export async function startMeasuredGateway(
  zooKeeper: string,
  name: string,
  options: { mode: 'plain' | 'dynamic'; services: number; instances: number; port: number },
): Promise<MeasuredGateway> {
  const { mode, services, instances, port: backendPort } = options;
  const maker = await connectZooKeeper(zooKeeper);
  await maker.create(`/${name}`);
  await maker.close();
  const registry = `${zooKeeper}/${name}`;
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-'));
  const client = await connectZooKeeper(registry, { sessionTimeoutMs: 60_000 });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const register = (service: string, ports: number[]) => registerInstances(client, service, ports);
  for (const path of [paths.services, paths.gateways, paths.history]) await client.create(path);
  // All but the first are on other ports, where nobody asks.
  const ports = Array.from({ length: instances }, (_, n) => (n === 0 ? backendPort : 20_000 + n));
  for (let at = 0; at < services; at += 50) {
    const some = Array.from({ length: Math.min(50, services - at) }, (_, n) => `service-${at + n}`);
    await Promise.all(some.map((service) => register(service, ports)));
  }
  const words = [daemonScript, registry, dir, String(port), '100', mode];
  const daemon = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  await eventually('all are routed', async () => (await statusOf(url, `/service-${services - 1}/`)) === 200, 180_000);
  return {
    url,
    dir,
    client,
    register,
    async stop() {
      await end(daemon);
      await stopNginx(dir, systemClock, 1000);
      await client.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** SIGTERM, and waits for the end. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** A service with one instance on each port, in one step. */
export async function registerInstances(client: RegistryClient, service: string, ports: number[]): Promise<void> {
  const instances = ports.map((port, n) => sampleRegistration(service, '1', n + 1, { address: '127.0.0.1', port }));
  await client.multi([
    { op: 'create', path: paths.service(service) },
    { op: 'create', path: paths.version(service, '1') },
    ...instances.map(({ path, record }) => ({
      op: 'create' as const,
      path,
      data: JSON.stringify(record),
      mode: 'ephemeral' as const,
    })),
  ]);
}

/** Status of a GET on a fresh connection; 0 where there was none. */
export async function statusOf(url: string, path: string): Promise<number> {
  const answer = await ask(url + path).catch(() => null);
  return answer?.status ?? 0;
}

export function listen(answer: RequestListener): Promise<{ server: Server; port: number }> {
  return new Promise((resolve, reject) => {
    const server = createServer({ keepAliveTimeout: 60_000 }, answer);
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address ? address.port : 0 });
    });
  });
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
