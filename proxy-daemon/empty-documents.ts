/** A gateway without a document source: an OpenAPI document that describes nothing. */
import { createHash } from 'node:crypto';
import type { DocumentSource, MergedDocument } from './document-source.ts';

const json = Buffer.from(JSON.stringify({ openapi: '3.1.0', info: { title: 'APIs', version: '0' }, paths: {} }));

const empty: MergedDocument = {
  json,
  yaml: Buffer.from('openapi: 3.1.0\ninfo:\n  title: APIs\n  version: "0"\npaths: {}\n'),
  digest: createHash('sha256').update(json).digest('hex'),
  operations: 0,
  sources: [],
};

export const emptyDocuments: DocumentSource = {
  update: () => {},
  current: () => empty,
  onChange: () => () => {},
  close: async () => {},
};
