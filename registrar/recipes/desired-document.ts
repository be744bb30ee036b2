import { environmentDigest } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment } from '../../specs/nouns.ts';
import { paths } from '../layout.ts';
import type { DesiredRecord } from '../records.ts';
import type { CallOptions, MultiOp, RegistryClient } from '../registry-client.ts';
import { codecs, encode } from '../store/codecs.ts';
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

/**
 * Declares an environment: /desired and its copy in /history in one multi, with the next generation. What was already
 * published by this very call, its reply lost, is recognised. Publishing what is already declared makes a new generation too:
 * it has an author and a reason. GENERATION_STALE (fault 8) where `expectGeneration` is not the one there.
 */
export function publishDesired(
  client: RegistryClient,
  request: PublishDesired,
  options: CallOptions = {},
): Promise<DesiredRecord> {
  const digest = environmentDigest(request.environment);
  const { environment, author, reason, allowance, at } = request;
  let written: DesiredRecord | null = null;
  return retryConflicts(paths.desired, async () => {
    if (written && (await wasPublished(client, written, options))) return written;
    const found = await readDesired(client, options);
    const current = found?.record.generation ?? 0;
    if (request.expectGeneration !== undefined && request.expectGeneration !== current) {
      throw stale(request.expectGeneration, found?.record ?? null);
    }
    written = { generation: current + 1, author, reason, at, digest, allowance, environment };
    await client.multi(publishOps(written, found?.version ?? null), options);
    return written;
  });
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
  const { children } = await client.children(paths.history, options);
  return children.filter((name) => /^\d{10,}$/.test(name)).map(Number);
}

/** True where the generation in /history is this very record: then it was also in /desired. */
async function wasPublished(client: RegistryClient, record: DesiredRecord, options: CallOptions): Promise<boolean> {
  const kept = await readHistory(client, record.generation, options);
  return kept !== null && encode(codecs.desired, kept) === encode(codecs.desired, record);
}

function publishOps(record: DesiredRecord, version: number | null): MultiOp[] {
  const data = encode(codecs.desired, record);
  return [
    version === null ? { op: 'create', path: paths.desired, data } : { op: 'set', path: paths.desired, data, version },
    { op: 'create', path: paths.historyOf(record.generation), data },
  ];
}

function stale(expected: number, found: DesiredRecord | null): McpError {
  const there = found ? `generation ${found.generation} by ${found.author}` : 'nothing';
  return new McpError('GENERATION_STALE', `this was made from generation ${expected}, but ${there} is declared now`, {
    hint: 'Look at what changed (mcp history), then plan again.',
    details: { expected, current: found?.generation ?? 0 },
  });
}
