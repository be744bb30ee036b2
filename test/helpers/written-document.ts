import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../proxy-daemon/document/json.ts';
import type { MergedDocument } from '../../proxy-daemon/document-source.ts';

export interface WrittenDocument {
  json: JsonObject;
  yaml: string;
  /** Bytes of each file of the merged document, by name. */
  files: ReadonlyMap<string, Buffer>;
}

const written = new Map<string, WrittenDocument>();

/** The document as it is written for generation 1. Each digest is written once. */
export async function writtenDocument(document: MergedDocument): Promise<WrittenDocument> {
  const known = written.get(document.digest);
  if (known) return known;
  const dir = await mkdtemp(join(tmpdir(), 'mcp-written-'));
  try {
    const [merged, served, services] = ['merged', 'served', 'services'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    const folders = { merged, served, past: [], services, pieces: null };
    await document.write(folders, 1);
    const names = ['openapi.json', 'openapi.json.gz', 'openapi.yaml', 'openapi.yaml.gz', 'services.json', 'digest'];
    const files = new Map<string, Buffer>();
    for (const name of names) files.set(name, await readFile(join(folders.merged, name)));
    const json = JSON.parse(String(files.get('openapi.json'))) as JsonObject;
    const result = { json, yaml: String(files.get('openapi.yaml')), files };
    written.set(document.digest, result);
    return result;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
