/** The configuration file that nginx runs with, or would start with, as a daemon finds it. */
import { readFileSync } from 'node:fs';
import type { GatewayPaths } from './paths.ts';
import { loadTables } from './table-store.ts';

export interface ConfigurationInPlace {
  /** Null: there is none. */
  mode: 'plain' | 'dynamic' | null;
  /** Last published with it; 0 where nothing was. */
  generation: number;
  /** Digest of the document published with a plain one. */
  document: string;
  /** The whole file. */
  text: string;
}

/** Reads it. A plain one says its generation itself, a dynamic one is the same for all, which are in its tables. */
export function configurationInPlace(paths: GatewayPaths): ConfigurationInPlace {
  const text = readOrEmpty(paths.config);
  const [, generation, document = ''] = /^# generation (\d+), document ([0-9a-f]*)\n/.exec(text) ?? [];
  if (generation !== undefined) return { mode: 'plain', generation: Number(generation), document, text };
  if (!text.startsWith(dynamicHeader)) return { mode: null, generation: 0, document: '', text };
  return { mode: 'dynamic', generation: loadTables(paths).generation, document: '', text };
}

/** First line of a plain generation's file, for people and for the next daemon. */
export function plainHeader(generation: number, document: string): string {
  return `# generation ${generation}, document ${document}\n${warning}`;
}

const warning = '# Written by the gateway: changes made here are lost.\n';

export const dynamicHeader = `# dynamic: routes are in tables/\n${warning}`;

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
