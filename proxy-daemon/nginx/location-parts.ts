/** What locations are made of. Pure. */
import { type Argument, block, type Directive, directive, type NginxText } from './emit.ts';

/** What is worth compressing while it is sent. */
export const gzipTypes = directive(
  'gzip_types',
  'application/json',
  'application/yaml',
  'text/css',
  'application/javascript',
);

/**
 * What the gateway itself refuses, answered by 400 (lua/mcp/at-rewrite.lua says it too): so that it is told from what nginx
 * refuses because it can't be read.
 */
export const refusedStatus = 490;

export function exact(path: string, body: Directive[]): Directive {
  return block('location', ['=', path], body);
}

/** Everything that is a service's is asked for somewhere else, by the same method. */
export function sendingOn(to: NginxText): Directive {
  return block('location', ['/'], [directive('return', 308, to)]);
}

export function header(name: string, value: Argument): Directive {
  return directive('add_header', name, value, 'always');
}
