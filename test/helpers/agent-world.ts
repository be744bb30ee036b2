/** A registry with one machine in its ledger, and the agent of that machine, for tests. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { type AgentTiming, runAgent } from '../../registrar/agent/agent.ts';
import { leftovers } from '../../registrar/agent/leftovers.ts';
import type { MachineRights } from '../../registrar/agent/machine-rights.ts';
import type { WarmService } from '../../registrar/agent/warm-service.ts';
import { paths } from '../../registrar/layout.ts';
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import type {
  AgentRecord,
  AssignmentRecord,
  ConfigRecord,
  GatewayRecord,
  MachineRecord,
  MachineState,
  RegistrationRecord,
} from '../../registrar/records.ts';
import type { ConnectRegistry, RegistryClient, Stat } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { HealthCheck, Version } from '../../specs/nouns.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { sha256 } from './make-tar.ts';
import { tempDir } from './temp-dir.ts';

export const clusterId = 'test-cluster';

/** Serves /healthz (200 until /break, then 503 until /heal), /env, /config, and dies at /crash. */
const serviceSource = `
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
let status = 200;
let signals = 0;
process.on('SIGHUP', () => { signals += 1; });
const routes = {
  '/healthz': (reply) => { reply.statusCode = status; reply.end(); },
  '/break': (reply) => { status = 503; reply.end(); },
  '/heal': (reply) => { status = 200; reply.end(); },
  '/crash': () => { console.error('crashing as asked'); process.exit(3); },
  '/env': (reply) => reply.end(JSON.stringify(process.env)),
  '/config': (reply) => reply.end(readFileSync(process.env.MCP_CONFIG_FILE)),
  '/signals': (reply) => reply.end(String(signals)),
  '/pid': (reply) => reply.end(String(process.pid)),
};
createServer((request, reply) => (routes[request.url] ?? routes['/healthz'])(reply))
  .listen(Number(process.env.PORT), process.env.ADDRESS, () => console.log('listening'));
`;

const quickHealth: HealthCheck = {
  kind: 'http',
  path: '/healthz',
  intervalMs: 50,
  timeoutMs: 1_000,
  rise: 1,
  fall: 2,
};

/** Real processes on a machine that is busy with other tests, ms. */
const patienceMs = 120_000;

interface Test {
  teardown(fn: () => Promise<void>): void;
}

export interface RunningAgent {
  /** Lets it leave in good order; resolves when it has. */
  leave(): Promise<void>;
  /** Settles as the agent does. */
  ended: Promise<void>;
}

export class AgentWorldForTest {
  readonly uuid = randomUUID();
  /** Where its service is asked. */
  address = '127.0.0.1';
  readonly dir: string;
  readonly port: number;
  readonly admin: RegistryClient;
  /** Clients that agents made, oldest first. */
  readonly clients: RegistryClient[] = [];
  readonly #t: Test;
  readonly #connect: ConnectRegistry;
  #assignment: AssignmentRecord | null = null;

  static async make(t: Test, connect: ConnectRegistry): Promise<AgentWorldForTest> {
    const admin = await connect();
    t.teardown(() => admin.close());
    await formatRegistry(admin, systemClock, { clusterId });
    const world = new AgentWorldForTest(t, connect, admin, await tempDir(t), await freePort());
    await admin.create(paths.machine(world.uuid), JSON.stringify(world.#ledger('ready')));
    await world.gateway('willing', Number.MAX_SAFE_INTEGER);
    return world;
  }

  private constructor(t: Test, connect: ConnectRegistry, admin: RegistryClient, dir: string, port: number) {
    this.#t = t;
    this.#connect = connect;
    this.admin = admin;
    this.dir = dir;
    this.port = port;
  }

  /** Starts the machine's agent; stopped at the test's end, with all that it started. */
  startAgent(
    timing: Partial<AgentTiming> = {},
    { open = this.#connect, rights, warm }: { open?: ConnectRegistry; rights?: MachineRights; warm?: WarmService } = {},
  ): RunningAgent {
    const leaving = new AbortController();
    const connect: ConnectRegistry = async (options) => {
      const client = await open(options);
      this.clients.push(client);
      return client;
    };
    const { uuid, address } = this;
    const dir = join(this.dir, 'machine');
    const ended = runAgent({
      config: { uuid, address, clusterId, dir },
      connect,
      rights,
      warm,
      clock: systemClock,
      log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
      signal: leaving.signal,
      timing: { retry: { quickMs: 60_000, firstDelayMs: 20, slowDelayMs: 300, failAfter: 3 }, ...timing },
    });
    ended.catch(() => {});
    const leave = () => {
      leaving.abort(new Error('SIGTERM'));
      return ended;
    };
    this.#t.teardown(async () => {
      await leave().catch(() => {});
      for (const pid of await leftovers(uuid, dir)) process.kill(pid, 'SIGKILL');
    });
    return { leave, ended };
  }

  /** A version that runs the small service. */
  async version(changes: Partial<Version> = {}): Promise<Version> {
    const file = join(this.dir, 'artifacts-source', 'service.mjs');
    await mkdir(join(this.dir, 'artifacts-source'), { recursive: true });
    await writeFile(file, serviceSource);
    return {
      version: '1.0.0',
      count: 1,
      artifact: { url: pathToFileURL(file).href, sha256: sha256(Buffer.from(serviceSource)) },
      command: ['node', 'service.mjs'],
      port: this.port,
      env: { GREETING: 'hello' },
      health: quickHealth,
      digest: sha256(Buffer.from(JSON.stringify(changes))),
      ...changes,
    };
  }

  /** Writes the assignment, new or changed. */
  async assign(changes: Partial<AssignmentRecord> = {}): Promise<AssignmentRecord> {
    const path = paths.assignment(this.uuid);
    const first: AssignmentRecord = this.#assignment ?? {
      service: 'demo',
      version: changes.version ?? (await this.version()),
      document: '/openapi.json',
      onConfigChange: 'restart',
      drainTimeoutMs: 5_000,
      stopTimeoutMs: 2_000,
      want: 'run',
      operation: 'op-1',
      epoch: 1,
    };
    const isNew = this.#assignment === null;
    const next = { ...first, ...changes };
    this.#assignment = next;
    if (isNew) {
      await this.enter('claimed');
      await this.admin.create(path, JSON.stringify(next));
    } else await this.admin.set(path, JSON.stringify(next));
    return next;
  }

  /** Takes claim and assignment away, as a controller does: the ledger first. */
  async unassign(state: MachineState = 'ready'): Promise<void> {
    await this.enter(state);
    await this.loseAssignment();
  }

  /** Takes only the assignment away, as no controller does. */
  async loseAssignment(): Promise<void> {
    this.#assignment = null;
    await this.admin.delete(paths.assignment(this.uuid));
  }

  /** Deletes the ledger's entry; the agent's own ephemeral node in the way goes as often as it is made anew. */
  async loseLedger(): Promise<void> {
    const gone = (path: string) =>
      this.admin.delete(path).then(
        () => true,
        () => false,
      );
    await eventually('the ledger lacks it', async () => {
      await gone(paths.agent(this.uuid));
      return gone(paths.machine(this.uuid));
    });
  }

  async regainLedger(): Promise<void> {
    await this.admin.create(paths.machine(this.uuid), JSON.stringify(this.#ledger('verifying')));
  }

  /** Writes the ledger's entry of this machine. */
  async enter(state: MachineState): Promise<void> {
    await this.admin.set(paths.machine(this.uuid), JSON.stringify(this.#ledger(state)));
  }

  #ledger(state: MachineState): MachineRecord {
    const { uuid, address } = this;
    return {
      uuid,
      provider: 'test',
      image: 'test',
      state,
      operation: 'made',
      epoch: 1,
      address,
      createdAt: 1,
      changedAt: 1,
    };
  }

  async publishConfig(values: ConfigRecord['values'], generation = 1): Promise<void> {
    const record: ConfigRecord = { service: 'demo', generation, values };
    await this.#put(paths.config('demo'), JSON.stringify(record));
  }

  /** A gateway that says it has drained all up to `drainedAsOf`, new or changed. */
  async gateway(id: string, drainedAsOf: number): Promise<void> {
    const mark = { generation: 1, asOf: drainedAsOf };
    const record: GatewayRecord = {
      id,
      url: 'http://127.0.0.1:1',
      pid: 1,
      mode: 'plain',
      served: mark,
      drained: mark,
      routes: 1,
      instances: 1,
      holding: '',
      rejected: [],
      at: 0,
    };
    await this.#put(paths.gateway(id), JSON.stringify(record));
  }

  agentRecord(): Promise<AgentRecord | null> {
    return this.#read<AgentRecord>(paths.agent(this.uuid)).then((found) => found?.record ?? null);
  }

  registrationPath(version = '1.0.0'): string {
    return paths.registration('demo', version, this.uuid);
  }

  registration(version = '1.0.0'): Promise<{ record: RegistrationRecord; stat: Stat } | null> {
    return this.#read<RegistrationRecord>(this.registrationPath(version));
  }

  /** Waits for the phase; the record then. */
  phase(wanted: AgentRecord['phase']): Promise<AgentRecord> {
    const look = async () => {
      const record = await this.agentRecord();
      return record?.phase === wanted && record;
    };
    return eventually(`phase ${wanted}`, look, patienceMs);
  }

  registered(state: RegistrationRecord['state'], version?: string) {
    const look = async () => {
      const found = await this.registration(version);
      return found?.record.state === state && found;
    };
    return eventually(`registered ${state}`, look, patienceMs);
  }

  unregistered(version?: string): Promise<true> {
    return eventually('not registered', async () => (await this.registration(version)) === null, patienceMs);
  }

  /** Asks the running service; rejects where it does not answer. */
  async ask(path: string): Promise<string> {
    const reply = await fetch(`http://${this.address}:${this.port}${path}`, { signal: AbortSignal.timeout(5_000) });
    return reply.text();
  }

  async #put(path: string, data: string): Promise<void> {
    if (await this.admin.exists(path)) await this.admin.set(path, data);
    else await this.admin.create(path, data);
  }

  async #read<T>(path: string): Promise<{ record: T; stat: Stat } | null> {
    try {
      const { data, stat } = await this.admin.get(path);
      return { record: JSON.parse(data.toString()) as T, stat };
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
      throw error;
    }
  }
}
