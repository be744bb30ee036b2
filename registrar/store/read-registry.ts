import { isMcpError, McpError } from '../../specs/errors.ts';
import { ledgerProblem, type ParsedRegistration, parseRegistration } from '../dialects/native.ts';
import { paths } from '../layout.ts';
import { effectiveDesired } from '../recipes/effective-environment.ts';
import { readCluster, required } from '../recipes/format-registry.ts';
import { mapBounded } from '../recipes/map-bounded.ts';
import { withRollouts } from '../recipes/rollout-documents.ts';
import { requireDocument, type Versioned } from '../recipes/versioned-document.ts';
import type { ConfigRecord, GatewayRecord, MachineRecord } from '../records.ts';
import type { RegistryClient, Stat } from '../registry-client.ts';
import { type Codec, codecs, decode } from './codecs.ts';
import type { ObservedMachine, ObservedRegistration, RegistryView } from './registry-view.ts';

export interface ReadRegistryOptions {
  signal?: AbortSignal;
  /** The cluster expected; another one, or none, is CLUSTER_MISMATCH. */
  clusterId?: string;
  /** See parseRegistration. */
  allowLoopback: boolean;
}

type Rejected = { path: string; reason: string };
type Found = { data: Buffer; stat: Stat };

/** Requests under way at a time, for each kind of node. */
const parallel = 128;

/**
 * Reads everything the controller needs of the registry, after a `sync`: all that was committed when it was called is in it.
 * It is not one moment (ZooKeeper has no such read), so what was seen must be checked by version when it is acted on. A node
 * that goes between list and get was not there; what machines and gateways wrote about themselves and is not valid is left out,
 * with the reason, as is a damaged configuration, which is made anew from /desired, and what the pool remembered; every other failed read fails the whole: RECORD_INVALID, CLUSTER_MISMATCH, or the registry client's own error.
 */
export async function readRegistry(client: RegistryClient, options: ReadRegistryOptions): Promise<RegistryView> {
  const { signal, clusterId, allowLoopback } = options;
  await client.sync('/', { signal });
  const { zxid: asOf, stat } = await required(paths.epoch, client.get(paths.epoch, { signal }));
  const reader = new Reader(client, signal);
  const [cluster, [declared, rollouts], suspended, ledger, registered, gateways, configs, budgets, pool] =
    await Promise.all([
      readCluster(client, { signal, clusterId }),
      withRollouts(client, () => reader.document(paths.desired, codecs.desired), { signal }),
      requireDocument(client, paths.suspended, codecs.suspended, { signal }),
      reader.machines(),
      reader.registrations(allowLoopback),
      reader.gateways(),
      reader.configs(),
      reader.documents(paths.budgets, codecs.budget),
      reader.pool(),
    ]);
  const { registrations, rejected } = believe(registered, ledger.machines);
  return {
    asOf,
    clusterId: cluster.id,
    epoch: stat.version,
    desired: declared && { ...declared, record: effectiveDesired(declared.record, rollouts) },
    declared,
    rollouts,
    suspended,
    machines: ledger.machines,
    registrations,
    rejected: [...rejected, ...ledger.rejected, ...gateways.rejected, ...configs.rejected, ...pool.rejected],
    gateways: gateways.records,
    configs: Object.fromEntries(configs.records),
    budgets: Object.fromEntries(budgets),
    pool: pool.found,
  };
}

/** Sorts parsed registrations by what the ledger says about their machines; pure. */
function believe(
  parsed: readonly { result: ParsedRegistration; mzxid: number }[],
  machines: readonly { record: MachineRecord }[],
): { registrations: ObservedRegistration[]; rejected: Rejected[] } {
  const ledger = new Map(machines.map(({ record }) => [record.uuid, record]));
  const registrations: ObservedRegistration[] = [];
  const rejected: Rejected[] = [];
  for (const { result, mzxid } of parsed) {
    if (!result.ok) {
      rejected.push({ path: result.path, reason: result.reason });
      continue;
    }
    const { record } = result;
    const reason = ledgerProblem(record, ledger.get(record.machine));
    if (reason === null) registrations.push({ record, mzxid });
    else rejected.push({ path: paths.registration(record.service, record.version, record.machine), reason });
  }
  return { registrations, rejected };
}

/** Reads of one view: absent nodes are null, all else that fails throws. */
class Reader {
  readonly #client: RegistryClient;
  readonly #signal: AbortSignal | undefined;

  constructor(client: RegistryClient, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#signal = signal;
  }

  async document<T>(path: string, codec: Codec<T>): Promise<Versioned<T> | null> {
    const found = await this.#get(path);
    return found && { record: decode(codec, path, found.data), version: found.stat.version };
  }

  /** All documents below a node, by name. */
  async documents<T>(parent: string, codec: Codec<T>): Promise<[string, Versioned<T>][]> {
    const names = await this.#list(parent);
    const read = await mapBounded(
      names,
      parallel,
      async (name) => [name, await this.document(`${parent}/${name}`, codec)] as const,
    );
    return read.flatMap(([name, found]) => (found ? [[name, found] as [string, Versioned<T>]] : []));
  }

  async machines(): Promise<{ machines: ObservedMachine[]; rejected: Rejected[] }> {
    const rejected: Rejected[] = [];
    const uuids = await this.#list(paths.machines);
    const machines = await mapBounded(uuids, parallel, async (uuid) => {
      const [machine, assignment, agent] = await Promise.all([
        this.document(paths.machine(uuid), codecs.machine),
        this.document(paths.assignment(uuid), codecs.assignment),
        this.#agent(uuid, rejected),
      ]);
      if (machine && machine.record.uuid !== uuid) throw foreign(paths.machine(uuid), machine.record.uuid);
      return machine && { ...machine, assignment, agent };
    });
    return { machines: machines.filter((machine) => machine !== null), rejected };
  }

  /** What a machine's agent says of itself: nonsense there costs that machine its agent, not us the view. */
  async #agent(uuid: string, rejected: Rejected[]) {
    const path = paths.agent(uuid);
    const found = await this.#getUntrusted(path);
    if (found === null) return null;
    try {
      if (found === 'refused') throw new McpError('RECORD_INVALID', 'the registry refuses to show it');
      if (found.stat.ephemeralOwner === null) throw new McpError('RECORD_INVALID', 'the node is persistent');
      const record = decode(codecs.agent, path, found.data);
      if (record.machine !== uuid) throw foreign(path, record.machine);
      return record;
    } catch (error) {
      if (!isMcpError(error, 'RECORD_INVALID')) throw error;
      rejected.push({ path, reason: error.message });
      return null;
    }
  }

  /** Gateways as they say they are. One that says nonsense still routes: it is there, and has acknowledged nothing. */
  async gateways(): Promise<{ records: GatewayRecord[]; rejected: Rejected[] }> {
    const rejected: Rejected[] = [];
    const records = await mapBounded(await this.#list(paths.gateways), parallel, async (id) => {
      const path = paths.gateway(id);
      const found = await this.#get(path);
      if (!found) return null;
      const record = decodeOr(codecs.gateway, path, found, rejected);
      if (record) return record;
      return found.stat.ephemeralOwner === null ? null : unknownGateway(id);
    });
    return { records: records.filter((record) => record !== null), rejected };
  }

  async pool(): Promise<{ found: RegistryView['pool']; rejected: Rejected[] }> {
    const rejected: Rejected[] = [];
    const found = await this.#get(paths.pool);
    if (!found) return { found: null, rejected };
    return {
      found: { record: decodeOr(codecs.pool, paths.pool, found, rejected), version: found.stat.version },
      rejected,
    };
  }

  async configs(): Promise<{ records: [string, Versioned<ConfigRecord | null>][]; rejected: Rejected[] }> {
    const rejected: Rejected[] = [];
    const records = await mapBounded(await this.#list(paths.configs), parallel, async (name) => {
      const path = paths.config(name);
      const found = await this.#get(path);
      const record = found && decodeOr(codecs.config, path, found, rejected);
      return found && ([name, { record, version: found.stat.version }] as [string, Versioned<ConfigRecord | null>]);
    });
    return { records: records.filter((entry) => entry !== null), rejected };
  }

  async registrations(allowLoopback: boolean): Promise<{ result: ParsedRegistration; mzxid: number }[]> {
    let level: string[] = [paths.services];
    for (let down = 0; down < 3; down += 1) {
      const lists = await mapBounded(level, parallel, async (parent) => {
        const names = await this.#list(parent, parent !== paths.services);
        return names.map((name) => `${parent}/${name}`);
      });
      level = lists.flat();
    }
    const parsed = await mapBounded(level, parallel, async (path) => {
      const found = await this.#getUntrusted(path);
      if (found === null) return null;
      if (found === 'refused') {
        return { result: { ok: false as const, path, reason: 'the registry refuses to show it' }, mzxid: 0 };
      }
      return { result: parseRegistration(path, found.data, found.stat, { allowLoopback }), mzxid: found.stat.mzxid };
    });
    return parsed.filter((entry) => entry !== null);
  }

  async #get(path: string): Promise<Found | null> {
    try {
      return await this.#client.get(path, { signal: this.#signal });
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
      throw error;
    }
  }

  /** A node that a machine made, whose ACL may keep us out. */
  async #getUntrusted(path: string): Promise<Found | 'refused' | null> {
    try {
      return await this.#get(path);
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_AUTH')) return 'refused';
      throw error;
    }
  }

  /** Names of a node's children; `mayVanish`: a node that is gone, or keeps us out, has none. */
  async #list(path: string, mayVanish = false): Promise<string[]> {
    const list = this.#client.children(path, { signal: this.#signal });
    try {
      return (await (mayVanish ? list : required(path, list))).children;
    } catch (error) {
      if (mayVanish && isMcpError(error, 'REGISTRY_NO_NODE', 'REGISTRY_NO_AUTH')) return [];
      throw error;
    }
  }
}

/** The record, or null and a word on why it is none. */
function decodeOr<T>(codec: Codec<T>, path: string, { data }: Found, rejected: Rejected[]): T | null {
  try {
    return decode(codec, path, data);
  } catch (error) {
    if (!isMcpError(error, 'RECORD_INVALID')) throw error;
    rejected.push({ path, reason: error.message });
    return null;
  }
}

function unknownGateway(id: string): GatewayRecord {
  const nothing = { generation: 0, asOf: 0 };
  const holding = 'what it says of itself is invalid';
  const empty = { url: '', pid: 0, mode: 'plain' as const, routes: 0, instances: 0, rejected: [], at: 0 };
  return { id, ...empty, served: nothing, drained: nothing, holding };
}

function foreign(path: string, uuid: string): McpError {
  return new McpError('RECORD_INVALID', `registry node ${path}: it is about machine ${uuid}`, { details: { path } });
}
