/** A gateway of a test's own: real nginx, registry in memory, everything ended with the test. */
import { readFile, rm } from 'node:fs/promises';

import { pino } from 'pino';
import { type RunGatewayOptions, runGateway, stopNginx } from '../../proxy-daemon/main.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import type { LiveRegistration } from '../../proxy-daemon/routes/route-table.ts';
import type { StatusReport } from '../../proxy-daemon/status-report.ts';
import type { DesiredRecord, GatewayRecord } from '../../registrar/records.ts';
import type { ConnectRegistry, RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import type { Environment } from '../../specs/nouns.ts';
import { type Answer, ask } from './ask.ts';
import { eventually } from './eventually.ts';
import { fixedDocuments } from './fixed-documents.ts';
import { freePort } from './free-port.ts';
import { tempDir } from './temp-dir.ts';

type GatewayTestOptions = Partial<
  Pick<RunGatewayOptions, 'documents' | 'minReloadIntervalMs' | 'mode' | 'zone' | 'tableBytes' | 'workers' | 'http2'>
>;

export interface TestGateway {
  dir: string;
  url: string;
  port: number;
  registry: FakeRegistry;
  /** A session for the test itself. */
  client: RegistryClient;
  start(options?: GatewayTestOptions): void;
  /** Ends the daemon, not nginx. */
  end(): Promise<void>;
  register(registration: LiveRegistration): Promise<number>;
  declare(environment: Environment, generation: number): Promise<void>;
  ask(path: string, headers?: Record<string, string>): Promise<Answer>;
  status(): Promise<StatusReport>;
  record(): Promise<GatewayRecord>;
  /** Waits until the gateway's word, and its status, cover everything in the registry. */
  settled(): Promise<GatewayRecord>;
}

/** Registries of one's own instead of the one in memory: MCP's part, its root, and ensembles by their hosts. */
export interface OtherRegistry {
  connect?: ConnectRegistry;
  connectForeign?: ConnectRegistry;
  connectEnsemble?: (hosts: string) => ConnectRegistry;
}

/** Makes the registry and the directory; `start` runs the daemon. */
export async function testGateway(
  t: { teardown(fn: () => Promise<void>): void },
  other?: OtherRegistry,
): Promise<TestGateway> {
  const dir = await tempDir(t);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const registry = new FakeRegistry();
  const { connect = registry.connect, connectForeign = registry.connect, connectEnsemble } = other ?? {};
  const client = await connect();
  for (const path of ['/services', '/gateways', '/history']) await client.create(path);
  let running: { controller: AbortController; done: Promise<void> } | null = null;

  const end = async () => {
    running?.controller.abort();
    await running?.done;
    running = null;
  };
  t.teardown(async () => {
    await end();
    await client.close();
    await stopNginx(dir, systemClock, 500);
    await rm(dir, { recursive: true, force: true });
  });

  const record = async (): Promise<GatewayRecord> => JSON.parse((await client.get('/gateways/g1')).data.toString());
  const askGateway: TestGateway['ask'] = (path, headers) => ask(url + path, headers);
  return {
    dir,
    url,
    port,
    registry,
    client,
    end,
    ask: askGateway,
    record,
    start(options = {}) {
      const controller = new AbortController();
      const done = runGateway({
        id: 'g1',
        connect,
        connectForeign: (hosts) => (hosts === null ? connectForeign : (connectEnsemble?.(hosts) ?? connectForeign)),
        dir,
        listen: { address: '127.0.0.1', port },
        clock: systemClock,
        log: pino({ level: 'silent' }),
        signal: controller.signal,
        minReloadIntervalMs: 20,
        documents: fixedDocuments('fixed').source,
        ...options,
      });
      running = { controller, done };
    },
    async register({ path, record: registration }) {
      const parts = path.split('/');
      for (let depth = 3; depth < parts.length; depth += 1) {
        await client.create(parts.slice(0, depth).join('/')).catch(() => {});
      }
      const data = JSON.stringify(registration);
      const found = await client.exists(path);
      if (found) return (await client.set(path, data)).mzxid;
      return (await client.create(path, data, { mode: 'ephemeral' })).stat.mzxid;
    },
    async declare(environment, generation) {
      const desired: DesiredRecord = {
        generation,
        author: 'test',
        reason: 'test',
        at: 0,
        digest: 'test',
        allowance: {},
        environment,
      };
      const data = JSON.stringify(desired);
      if (await client.exists('/desired')) await client.set('/desired', data);
      else await client.create('/desired', data);
    },
    async status() {
      return JSON.parse((await askGateway('/status.json')).body);
    },
    async settled() {
      const toldAsOf = async (): Promise<number> => {
        const told = await readFile(gatewayPaths(dir).statusJson, 'utf8').catch(() => null);
        return told === null ? 0 : JSON.parse(told).served.asOf;
      };
      const { stat, zxid } = await client.get('/services');
      const reached = Math.max(stat.pzxid, zxid);
      // The gateway learns of changes below /services only; a node written there and removed makes it look.
      await client.create('/services/touch').catch(() => {});
      await client.delete('/services/touch').catch(() => {});
      return eventually(
        'the gateway acknowledged everything',
        async () => {
          const said = await record().catch(() => null);
          // Its status is written beside other things, and read by whoever waited for this.
          return said && said.served.asOf >= reached && (await toldAsOf()) >= reached ? said : null;
        },
        40_000,
      );
    },
  };
}
