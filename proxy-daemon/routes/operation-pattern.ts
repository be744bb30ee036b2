/**
 * Which requests are an operation's: as regular expressions that nginx and JavaScript read alike, over `METHOD rest`, where
 * `rest` is what the client sent behind the service's route, not decoded, with its query. Pure.
 *
 * A path can be spelt in many ways, and instances differ in which of them they take for the same. So there are three readings:
 * `strict` is what everybody takes for the operation. The two `loose` ones are what somebody may take for it: case, percent-encoding,
 * doubled and trailing slashes, what stands behind a `;`; once with an encoded slash as part of a parameter, once as a slash.
 *
 * Each is made so that there is one way to read a path by it: no path takes long.
 */
import type { DoorOperation } from '../../specs/front-door.ts';

export interface OperationPatterns {
  strict: string;
  loose: [string, string];
}

/**
 * Where somebody says who may call single operations, what instances could take for another path than the one that was compared:
 * backslashes, fragments, empty segments, `..;` and `/;`, encoded zeros. It is refused there whatever it asks for.
 */
export const unsoundPath = String.raw`^[^ ]+ [^?]*(?:[\\#]|//|%5c|%00|%23|(?:/|%2f|\.|%2e)(?:;|%3b))`;

export function operationPatterns({ method, path }: DoorOperation): OperationPatterns {
  const verb = method === 'ANY' ? '[^ ]+' : method === 'GET' ? '(?:GET|HEAD)' : method;
  const isBelow = path.endsWith('/**');
  const parts = segmentsOf(isBelow ? path.slice(0, -3) : path);
  const strict = parts.map((part) => `/${part.map((one) => (one === null ? soundText : escaped(one))).join('')}`);
  const whole = strict.join('') || (isBelow ? '' : '/');
  const loose = (slash: string, inSegment: string) => {
    const body = parts.map((part) => {
      return `${slash}${part.map((one) => (one === null ? `(?:(?!;)${inSegment})+` : anySpelling(one))).join('')}(?:;${inSegment}*)?`;
    });
    return `^${verb} ${body.join('')}${isBelow ? `(?:${slash}.*)?` : `(?:${slash})?`}(?![^?#])`;
  };
  return {
    strict: `^${verb} ${whole}${isBelow ? `(?:/[^?]*)?` : ''}(?![^?])`,
    loose: [loose('/+', '[^/?#]'), loose(anySlash, String.raw`(?:[^/?#%\\]|%(?!2f|5c))`)],
  };
}

/** From the most exact to the least: a text before a parameter, a parameter before `**`, a method before ANY. */
export function mostExactFirst<T extends DoorOperation>(operations: readonly T[]): T[] {
  const rank = ({ method, path }: DoorOperation) =>
    [
      ...path
        .split('/')
        .slice(1)
        .map((segment) => {
          if (segment === '**') return '2';
          // The more text beside its parameter, the fewer segments it fits.
          return segment.includes('{') ? `1${9999 - segment.replace(/\{[^}]*\}/, '').length}` : `0${segment}`;
        }),
      // The shorter of two paths of which one begins with the other: neither fits what the other fits.
      '',
      method === 'ANY' ? '1' : '0',
      method,
    ].join('/');
  return [...operations].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** The operation of a request, as nginx finds it; `refused`: it could be taken for one, but is not spelt as one. */
export function findOperation<T extends DoorOperation & { own: { access: boolean } }>(
  operations: readonly T[],
  method: string,
  rest: string,
): T | 'refused' | null {
  const text = `${method} ${rest}`;
  const isStrict = operations.some(({ own }) => own.access);
  if (isStrict && new RegExp(unsoundPath, 'i').test(text)) return 'refused';
  for (const one of operations) {
    const { strict, loose } = operationPatterns(one);
    if (isStrict && new RegExp(strict).test(text)) return one;
    if (loose.some((pattern) => new RegExp(pattern, 'i').test(text))) return isStrict ? 'refused' : one;
  }
  return null;
}

const anySlash = String.raw`(?:[/\\]|%2f|%5c)+`;
/** Of a parameter: nothing that some instance could take for the end of its segment. */
const soundText = String.raw`(?:[A-Za-z0-9._~!\x24&'()*+,=:@-]|%(?!00|23|25|2[fF]|3[bB]|5[cC])[0-9A-Fa-f]{2})+`;

/** Texts, and null for each parameter, by segment. */
function segmentsOf(path: string): (string | null)[][] {
  const segments = path.replace(/\/+$/, '').split('/').slice(1);
  return segments.map((segment) =>
    segment
      .split(/(\{[^}]*\})/)
      .filter((one) => one !== '')
      .map((one) => (one.startsWith('{') ? null : one)),
  );
}

function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9_~:@%-]/g, '\\$&');
}

/** Each character plain or percent-encoded; the case is left to who compares. */
function anySpelling(text: string): string {
  return [...text.matchAll(/%([0-9A-Fa-f]{2})|[\s\S]/g)]
    .map(([one, hex]) => {
      const character = hex === undefined ? one : String.fromCharCode(Number.parseInt(hex, 16));
      const code = `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
      return /[!-~]/.test(character) ? `(?:${escaped(character)}|${code})` : code;
    })
    .join('');
}
