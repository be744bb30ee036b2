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
      close: async () => {},
    },
  };
}

function documentOf(title: string): MergedDocument {
  return {
    json: Buffer.from(JSON.stringify({ title })),
    yaml: Buffer.from(`title: ${title}\n`),
    digest: Buffer.from(title).toString('hex'),
    operations: 0,
    sources: title === '' ? [] : [{ service: 'dns', version: '1', state: 'fresh', problem: '' }],
  };
}
