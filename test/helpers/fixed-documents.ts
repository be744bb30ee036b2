import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { listedFromFiles } from '../../proxy-daemon/document/convert-document.ts';
import type { DocumentSource, MergedDocument } from '../../proxy-daemon/document-source.ts';

/** A document source whose document has the given title; with an empty one it has read nothing yet. `more`: in each document. */
export function fixedDocuments(title: string, more = {}): { source: DocumentSource; set(title: string): void } {
  const listeners = new Set<() => void>();
  let current = documentOf(title, more);
  return {
    set(name) {
      current = documentOf(name, more);
      for (const listener of listeners) listener();
    },
    source: {
      update: () => {},
      current: () => current,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      compareAnswers: async () => ({ outcome: 'unknown', basis: 'answer', operation: '', deviation: null }),
      close: async () => {},
    },
  };
}

function documentOf(title: string, more: object): MergedDocument {
  return {
    digest: Buffer.from(title).toString('hex'),
    operations: 0,
    sources: title === '' ? [] : [{ service: 'dns', version: '1', state: 'fresh', problem: '' }],
    async write({ merged, past, services, pieces }, generation) {
      for (const folder of past) await rm(folder, { recursive: true, force: true });
      const folder = pieces === null ? merged : `${merged}-files`;
      await Promise.all([folder, services].map((dir) => mkdir(dir, { recursive: true })));
      const files = {
        'openapi.json': JSON.stringify({ 'x-mcp-generation': generation, title, ...more }),
        'openapi.yaml': `x-mcp-generation: ${generation}\ntitle: ${title}\n`,
      };
      for (const [name, text] of Object.entries(files)) {
        await writeFile(join(folder, name), text);
        await writeFile(join(folder, `${name}.gz`), gzipSync(text));
      }
      if (pieces === null) return await writeFile(join(folder, 'digest'), this.digest);
      listedFromFiles(folder, pieces, this.digest, merged);
      await rm(folder, { recursive: true });
    },
  };
}
