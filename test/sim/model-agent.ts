/** A machine's agent, modelled: follows its assignment, registers, drains, stops; and can lose its session or die. */
import { paths } from '../../registrar/layout.ts';
import type { AgentPhase, AssignmentRecord, RegistrationRecord, SelfTestRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { codecs, decode, encode } from '../../registrar/store/codecs.ts';
import { isMcpError } from '../../specs/errors.ts';

/** An environment variable of a version that never starts. */
export const brokenMark = 'BROKEN';

export class ModelAgent {
  readonly uuid: string;
  readonly address: string;
  client: RegistryClient | null = null;
  /** What it tells of its machine. */
  readonly selfTest: SelfTestRecord;
  #phase: AgentPhase = 'idle';
  #told: AgentPhase | null = null;
  #running: string | null = null;
  #readyAt = 0;
  #registered: string | null = null;
  #registration: RegistrationRecord | null = null;

  constructor(uuid: string, address: string, test: SelfTestRecord) {
    this.uuid = uuid;
    this.selfTest = test;
    this.address = address;
  }

  /** A new session: what the old one registered is gone with it. */
  join(client: RegistryClient): void {
    this.client = client;
    this.#told = null;
    this.#registered = null;
    this.#registration = null;
  }

  /** One look at the assignment and one step towards it. `startMs`: how long this start takes, if one begins. */
  async step(now: number, startMs: number): Promise<void> {
    const { client } = this;
    if (client?.state !== 'connected') return;
    try {
      // As the real one: a ledger that lacks the machine orders nothing.
      if ((await client.exists(paths.machine(this.uuid))) === null) {
        this.#told = null;
        return;
      }
      const assignment = await this.#read(client);
      this.#advance(assignment, now, startMs);
      await this.#register(client, assignment, now);
      await this.#tell(client, now);
    } catch (error) {
      // The ledger entry is not there yet, or is gone; or the connection broke. The next step looks again.
      if (!isMcpError(error)) throw error;
    }
  }

  async #read(client: RegistryClient): Promise<AssignmentRecord | null> {
    const path = paths.assignment(this.uuid);
    if ((await client.exists(path)) === null) return null;
    return decode(codecs.assignment, path, (await client.get(path)).data);
  }

  #advance(assignment: AssignmentRecord | null, now: number, startMs: number): void {
    if (!assignment) {
      this.#phase = this.#running === null ? 'idle' : 'stopped';
      this.#running = null;
      return;
    }
    if (assignment.want === 'stop') {
      this.#phase = 'stopped';
      return;
    }
    const { digest } = assignment.version;
    if (this.#running !== digest && assignment.want === 'run') {
      this.#running = digest;
      this.#readyAt = now + startMs;
    }
    if (assignment.version.env[brokenMark]) this.#phase = now < this.#readyAt ? 'starting' : 'failed';
    else if (now < this.#readyAt) this.#phase = 'starting';
    else this.#phase = assignment.want === 'drain' ? 'draining' : 'serving';
  }

  async #register(client: RegistryClient, assignment: AssignmentRecord | null, now: number): Promise<void> {
    const wanted = this.#phase === 'serving' ? 'up' : this.#phase === 'draining' ? 'draining' : null;
    if (wanted === null || !assignment) {
      if (this.#registered !== null) await client.delete(this.#registered);
      this.#registered = null;
      this.#registration = null;
      return;
    }
    if (this.#registration?.state === wanted) return;
    const { service, version } = assignment;
    const path = paths.registration(service, version.version, this.uuid);
    const record: RegistrationRecord = {
      schema: 1,
      service,
      version: version.version,
      machine: this.uuid,
      address: this.address,
      port: version.port,
      state: wanted,
      digest: version.digest,
      at: now,
    };
    if (this.#registered === null) {
      for (const parent of [paths.service(service), paths.version(service, version.version)]) {
        if ((await client.exists(parent)) === null) await client.create(parent).catch(ignoreExisting);
      }
      await client.create(path, JSON.stringify(record), { mode: 'ephemeral' });
    } else {
      await client.set(path, JSON.stringify(record));
    }
    this.#registered = path;
    this.#registration = record;
  }

  async #tell(client: RegistryClient, now: number): Promise<void> {
    if (this.#told === this.#phase) return;
    const path = paths.agent(this.uuid);
    const told = this.#phase === 'idle' ? { selfTest: this.selfTest } : {};
    const record = { machine: this.uuid, phase: this.#phase, reason: '', at: now, starts: 1, ...told };
    const data = encode(codecs.agent, record);
    if (this.#told === null) await client.create(path, data, { mode: 'ephemeral' });
    else await client.set(path, data);
    this.#told = this.#phase;
  }
}

function ignoreExisting(error: unknown): void {
  if (!isMcpError(error, 'REGISTRY_NODE_EXISTS')) throw error;
}
