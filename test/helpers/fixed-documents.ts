import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DocumentSource, MergedDocument } from '../../proxy-daemon/document-source.ts';

/** A document source whose document has the given title; with an empty one it has read nothing yet. */
export function fixedDocuments(title: string): { source: DocumentSource; set(title: string): void } {
  const listeners = new Set<() => void>();
  let current = documentOf(title);
  return {
    set(name) {
      current = documentOf(name);
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

function documentOf(title: string): MergedDocument {
  return {
    digest: Buffer.from(title).toString('hex'),
    operations: 0,
    sources: title === '' ? [] : [{ service: 'dns', version: '1', state: 'fresh', problem: '' }],
    async write({ merged, services }, generation) {
      await Promise.all([merged, services].map((dir) => mkdir(dir, { recursive: true })));
      await writeFile(join(merged, 'openapi.json'), JSON.stringify({ 'x-mcp-generation': generation, title }));
      await writeFile(join(merged, 'openapi.yaml'), `x-mcp-generation: ${generation}\ntitle: ${title}\n`);
      await writeFile(join(merged, 'digest'), this.digest);
    },
  };
}
