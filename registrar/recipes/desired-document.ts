import { environmentDigest } from '../../specs/digest.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import type { Environment } from '../../specs/nouns.ts';
import { paths } from '../layout.ts';
import type { DesiredRecord } from '../records.ts';
import type { CallOptions, MultiOp, RegistryClient } from '../registry-client.ts';
import { codecs, encode } from '../store/codecs.ts';
import { required } from './format-registry.ts';
import { readDocument, retryConflicts, type Versioned } from './versioned-document.ts';

export interface PublishDesired {
  environment: Environment;
  /** Who, e.g. `operator:ann`. */
  author: string;
  reason: string;
  /** See DesiredRecord. */
  allowance: Record<string, number>;
  /** The generation this one was made from (0: none was there); another one there means GENERATION_STALE. */
  expectGeneration?: number;
  /** /desired as the caller has just read it: it is not read once more where it still is that. */
  known?: Versioned<DesiredRecord>;
  /** Done in the same multi; if one of these fails, nothing is declared. */
  alongside?: readonly MultiOp[];
  /** ms since the Unix epoch. */
  at: number;
}

/** /desired as it is now; null where nothing was ever declared. */
export function readDesired(
  client: RegistryClient,
  options: CallOptions = {},
): Promise<Versioned<DesiredRecord> | null> {
  return readDocument(client, paths.desired, codecs.desired, options);
}

/** What is declared, also where /desired was damaged: then the newest good copy in /history counts. */
export interface Declared {
  /** Null where nothing was ever declared. */
  record: DesiredRecord | null;
  /** Of the node /desired; null where it is missing. */
  version: number | null;
  /** Why `record` is the copy in /history; null where it is /desired itself. */
  damage: string | null;
}

/** As `readDesired`, through damage to /desired. CLUSTER_MISMATCH where /history is gone too: the registry was wiped. */
export async function readDeclared(client: RegistryClient, options: CallOptions = {}): Promise<Declared> {
  try {
    const found = await readDesired(client, options);
    if (found) return { ...found, damage: null };
    const record = await newestHistory(client, options);
    return { record, version: null, damage: record && `${paths.desired} is missing` };
  } catch (error) {
    if (!isMcpError(error, 'RECORD_INVALID')) throw error;
    const stat = await client.exists(paths.desired, options);
    const record = await newestHistory(client, options);
    return { record, version: stat?.version ?? null, damage: error.message };
  }
}

/** The newest generation of /history that is whole. */
async function newestHistory(client: RegistryClient, options: CallOptions): Promise<DesiredRecord | null> {
  for (const generation of (await listHistory(client, options)).reverse()) {
    try {
      const record = await readHistory(client, generation, options);
      if (record) return record;
    } catch (error) {
      if (!isMcpError(error, 'RECORD_INVALID')) throw error;
    }
  }
  return null;
}

/**
 * Declares an environment: /desired and its copy in /history in one multi, with the next generation. What was already
 * published by this very call, its reply lost, is recognised. Publishing what is already declared makes a new generation too:
 * it has an author and a reason. A damaged /desired is replaced. GENERATION_STALE (fault 8) where `expectGeneration` is not the one there;
 * WRITE_CONFLICT where something of `alongside` is not as its author saw it.
 */
export function publishDesired(
  client: RegistryClient,
  request: PublishDesired,
  options: CallOptions = {},
): Promise<DesiredRecord> {
  let written: DesiredRecord | null = null;
  let known: Declared | null = request.known ? { ...request.known, damage: null } : null;
  return retryConflicts(paths.desired, async () => {
    if (written && (await wasPublished(client, written, options))) return written;
    const found = known ?? (await readDeclared(client, options));
    known = null;
    const current = found.record?.generation ?? 0;
    if (request.expectGeneration !== undefined && request.expectGeneration !== current) {
      throw stale(request.expectGeneration, found.record);
    }
    written = nextDeclaration(found.record, request);
    const ops = [...declareOps(written, found.version), ...(request.alongside ?? [])];
    await client.multi(ops, options).catch(async (error: unknown) => {
      if (isMcpError(error, 'REGISTRY_CONNECTION_LOSS') || !request.alongside) throw error;
      const stat = await client.exists(paths.desired, options);
      throw (stat?.version ?? null) === found.version ? disturbed(error) : error;
    });
    return written;
  });
}

/** The declaration that follows `current`. */
export function nextDeclaration(
  current: DesiredRecord | null,
  { environment, author, reason, allowance, at }: Omit<PublishDesired, 'expectGeneration' | 'alongside'>,
): DesiredRecord {
  const digest = environmentDigest(environment);
  return { generation: (current?.generation ?? 0) + 1, author, reason, at, digest, allowance, environment };
}

/** The operation id of a declaration and of what follows from nothing else. */
export function declaring(generation: number): string {
  return `generation-${generation}`;
}

/** One generation of /history, or null where there is no such. */
export async function readHistory(
  client: RegistryClient,
  generation: number,
  options: CallOptions = {},
): Promise<DesiredRecord | null> {
  const found = await readDocument(client, paths.historyOf(generation), codecs.desired, options);
  return found?.record ?? null;
}

/** The generations in /history, oldest first. */
export async function listHistory(client: RegistryClient, options: CallOptions = {}): Promise<number[]> {
  const { children } = await required(paths.history, client.children(paths.history, options));
  return children
    .filter((name) => /^\d{10,}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** True where the generation in /history is this very record: then it was also in /desired. */
async function wasPublished(client: RegistryClient, record: DesiredRecord, options: CallOptions): Promise<boolean> {
  const kept = await readHistory(client, record.generation, options);
  return kept !== null && encode(codecs.desired, kept) === encode(codecs.desired, record);
}

/** What declares `record`: /desired, at its version as read (null: there is none), and its copy in /history. */
export function declareOps(record: DesiredRecord, version: number | null): MultiOp[] {
  const data = encode(codecs.desired, record);
  return [
    version === null ? { op: 'create', path: paths.desired, data } : { op: 'set', path: paths.desired, data, version },
    { op: 'create', path: paths.historyOf(record.generation), data },
  ];
}

/** Trying again would be in vain: it is not the declaration that moved. */
function disturbed(cause: unknown): unknown {
  if (!isMcpError(cause, 'REGISTRY_BAD_VERSION', 'REGISTRY_NODE_EXISTS', 'REGISTRY_NO_NODE')) return cause;
  return new McpError('WRITE_CONFLICT', 'what goes with the declaration was changed by others', {
    cause,
    retryable: true,
    hint: 'Try again.',
  });
}

function stale(expected: number, found: DesiredRecord | null): McpError {
  const there = found ? `generation ${found.generation} by ${found.author}` : 'nothing';
  return new McpError('GENERATION_STALE', `this was made from generation ${expected}, but ${there} is declared now`, {
    hint: 'Look at what changed (mcp history), then plan again.',
    details: { expected, current: found?.generation ?? 0 },
  });
}
