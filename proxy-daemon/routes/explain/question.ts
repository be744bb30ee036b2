/** What /status/explain is asked, checked. Pure. */
import { McpError } from '../../../specs/errors.ts';
import { didYouMean } from '../../../specs/near-miss.ts';

export interface Question {
  method: string;
  /** With its query, as a client sends it. */
  path: string;
  /** By lower-case name. */
  headers: ReadonlyMap<string, string>;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const names = ['path', 'method', 'header'];
const secrets = ['authorization', 'proxy-authorization', 'cookie'];
const longestPath = 4096;
const mostHeaders = 20;

/**
 * From a URL's query: `path`, `method` (GET), and `header=Name: value` any number of times. `keyHeaders`: headers that carry
 * API keys; those are not to be told, as no credentials are. Throws EXPLAIN_QUESTION, with what is wrong.
 */
export function readQuestion(query: string, keyHeaders: readonly string[]): Question {
  const given = new URLSearchParams(query);
  for (const name of new Set(given.keys())) {
    if (!names.includes(name)) throw bad(`nothing is known of "${shown(name)}"${didYouMean(name, names)}`);
    if (name !== 'header' && given.getAll(name).length > 1) throw bad(`"${name}" is there more than once`);
  }
  const path = given.get('path');
  if (path === null) throw bad('there is no path to explain');
  if (!path.startsWith('/')) throw bad('the path does not begin with a slash');
  if (path.length > longestPath) throw bad(`the path is longer than ${longestPath} characters`);
  if (!/^[!-~]+$/.test(path) || path.includes('#')) {
    throw bad('the path has characters that no request line holds: percent-encode them, twice in a URL');
  }
  const method = given.get('method') || 'GET';
  if (!methods.includes(method)) {
    throw bad(`"${shown(method)}" is none of ${methods.join(', ')}${didYouMean(method.toUpperCase(), methods)}`);
  }
  return { method, path, headers: readHeaders(given.getAll('header'), [...secrets, ...keyHeaders]) };
}

function readHeaders(lines: readonly string[], refused: readonly string[]): Map<string, string> {
  if (lines.length > mostHeaders) throw bad(`there are more than ${mostHeaders} headers`);
  return new Map(
    lines.map((line) => {
      const [, name = '', value = ''] = /^([A-Za-z0-9-]{1,64}): *([ -~]{0,1024})$/.exec(line) ?? [];
      if (name === '') throw bad('a header is not written as "Name: value"');
      const lower = name.toLowerCase();
      if (refused.some((one) => one.toLowerCase() === lower)) {
        throw bad(`header ${name} carries credentials, which do not belong into a question`);
      }
      return [lower, value];
    }),
  );
}

function shown(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 40);
}

function bad(message: string): McpError {
  return new McpError('EXPLAIN_QUESTION', message, {
    hint: 'Ask as in /status/explain?path=/dns/zones&method=GET&header=Accept:%20text/plain',
  });
}
