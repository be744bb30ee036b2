import { canonicalJson } from '../../../specs/canonical-json.ts';
import { isObject, type Json } from '../json.ts';
import type { FindingKind } from './finding.ts';
import { numbersAt, textsAt, type View } from './schema-view.ts';
import { typeBits } from './types.ts';

/** The keywords that compare without looking into other schemas: values, ranges, lengths, patterns, formats. Pure. */

/** `request`: what callers send, live must fit into next. `response`: what they get, next must fit into live. */
export type Direction = 'request' | 'response';

/** What is found, before its place is known. `keyword` is the one to point at. */
export interface Note {
  kind: FindingKind;
  words: string;
  keyword: string;
}

/** Compares two views of which `sub` has to fit into `sup`, for values of these types only. */
export function compareValues(sub: View, sup: View, types: number, direction: Direction): Note[] {
  const notes = [
    ...compareEnum(sub, sup, types, direction),
    ...bounds.flatMap((bound) => compareBound(sub, sup, types, direction, bound)),
  ];
  if (types & typeBits.array && isTrue(sup, 'uniqueItems') && !isTrue(sub, 'uniqueItems')) {
    notes.push(
      lengthNote(direction, 'uniqueItems', direction === 'request' ? 'items must differ now' : 'items may repeat now'),
    );
  }
  if (types & typeBits.string)
    notes.push(...comparePatterns(sub, sup, direction), ...compareEncodings(sub, sup, direction));
  if (types & (typeBits.string | typeBits.number)) notes.push(...compareFormats(sub, sup, direction));
  return notes;
}

function compareEnum(sub: View, sup: View, types: number, direction: Direction): Note[] {
  if (!sup.values) return [];
  const values = sub.values ?? fewValues(types);
  const listed = [...sup.values.keys()];
  if (!values) {
    return direction === 'request'
      ? [{ kind: 'request-became-enum', keyword: 'enum', words: `only ${list(listed)} may be sent now` }]
      : [
          {
            kind: 'response-enum-removed',
            keyword: 'enum',
            words: `was one of ${list(listed)}, and may be something else now`,
          },
        ];
  }
  const allowed = sup.values;
  const missing = [...values.keys()].filter((text) => !allowed.has(text));
  if (missing.length === 0) return [];
  return direction === 'request'
    ? [{ kind: 'request-enum-value-removed', keyword: 'enum', words: `${list(missing)} may not be sent any more` }]
    : [{ kind: 'response-enum-value-added', keyword: 'enum', words: `may be ${list(missing)} now` }];
}

/** Types that have only a few values anyway. */
function fewValues(types: number): Map<string, Json> | undefined {
  if (types & ~(typeBits.boolean | typeBits.null)) return undefined;
  const values: Json[] = [...(types & typeBits.boolean ? [true, false] : []), ...(types & typeBits.null ? [null] : [])];
  return new Map(values.map((value) => [canonicalJson(value), value]));
}

interface Bound {
  keyword: string;
  end: 'least' | 'most';
  types: number;
  kind: 'range' | 'length';
  /** What of a listed value is bounded. */
  of: (value: Json) => number | undefined;
}

const ofNumber = (value: Json) => (typeof value === 'number' ? value : undefined);
const ofString = (value: Json) => (typeof value === 'string' ? [...value].length : undefined);
const ofArray = (value: Json) => (Array.isArray(value) ? value.length : undefined);
const ofObject = (value: Json) => (isObject(value) ? Object.keys(value).length : undefined);

const bounds: Bound[] = [
  { keyword: 'minimum', end: 'least', types: typeBits.number, kind: 'range', of: ofNumber },
  { keyword: 'maximum', end: 'most', types: typeBits.number, kind: 'range', of: ofNumber },
  { keyword: 'minLength', end: 'least', types: typeBits.string, kind: 'length', of: ofString },
  { keyword: 'maxLength', end: 'most', types: typeBits.string, kind: 'length', of: ofString },
  { keyword: 'minItems', end: 'least', types: typeBits.array, kind: 'length', of: ofArray },
  { keyword: 'maxItems', end: 'most', types: typeBits.array, kind: 'length', of: ofArray },
  { keyword: 'minProperties', end: 'least', types: typeBits.object, kind: 'length', of: ofObject },
  { keyword: 'maxProperties', end: 'most', types: typeBits.object, kind: 'length', of: ofObject },
];

interface Limit {
  value: number;
  exclusive: boolean;
}

function compareBound(sub: View, sup: View, types: number, direction: Direction, bound: Bound): Note[] {
  if ((types & bound.types) === 0) return [];
  const multiple = bound.keyword === 'minimum' ? compareMultiples(sub, sup, direction) : [];
  const wanted = limitOf({ ...sup, values: undefined }, bound);
  if (!wanted) return multiple;
  const has = limitOf(sub, bound);
  if (has && !beyond(has, wanted, bound.end)) return multiple;
  const now = direction === 'request' ? wanted : has;
  const before = direction === 'request' ? has : wanted;
  const words = `${bound.keyword} is ${limitWords(now)}, was ${limitWords(before)}`;
  const note: Note =
    bound.kind === 'range'
      ? {
          kind: direction === 'request' ? 'request-range-narrowed' : 'response-range-widened',
          keyword: bound.keyword,
          words,
        }
      : lengthNote(direction, bound.keyword, words);
  return [...multiple, note];
}

function lengthNote(direction: Direction, keyword: string, words: string): Note {
  return { kind: direction === 'request' ? 'request-length-narrowed' : 'response-length-widened', keyword, words };
}

/** The strictest limit, by keyword or by the listed values. */
function limitOf(view: View, { keyword, end, of }: Bound): Limit | undefined {
  const limits: Limit[] = numbersAt(view, keyword).map((value) => ({ value, exclusive: false }));
  if (keyword === 'minimum' || keyword === 'maximum') {
    const exclusive = keyword === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
    limits.push(...numbersAt(view, exclusive).map((value) => ({ value, exclusive: true })));
  }
  if (view.values) {
    const found = [...view.values.values()].flatMap((value) => of(value) ?? []);
    if (found.length > 0)
      limits.push({ value: end === 'least' ? Math.min(...found) : Math.max(...found), exclusive: false });
  }
  // No limit at 0 is the same as none.
  const real = limits.filter(({ value }) => !(end === 'least' && value <= 0 && keyword !== 'minimum'));
  return real.reduce<Limit | undefined>(
    (strictest, limit) => (strictest && !beyond(strictest, limit, end) ? strictest : limit),
    undefined,
  );
}

/** True where `a` lets something through that `b` does not. */
function beyond(a: Limit, b: Limit, end: 'least' | 'most'): boolean {
  if (a.value === b.value) return b.exclusive && !a.exclusive;
  return end === 'least' ? a.value < b.value : a.value > b.value;
}

function limitWords(limit: Limit | undefined): string {
  return limit === undefined ? 'not set' : `${limit.value}${limit.exclusive ? ' (exclusive)' : ''}`;
}

function compareMultiples(sub: View, sup: View, direction: Direction): Note[] {
  const has = numbersAt(sub, 'multipleOf');
  const broken = numbersAt(sup, 'multipleOf').filter((step) => !has.some((own) => Number.isInteger(own / step)));
  if (broken.length === 0 || (sub.values && [...sub.values.values()].every((value) => isMultiple(value, broken))))
    return [];
  const words = `multipleOf ${broken.join(', ')} ${direction === 'request' ? 'is asked for now' : 'no longer holds'}`;
  return [
    {
      kind: direction === 'request' ? 'request-range-narrowed' : 'response-range-widened',
      keyword: 'multipleOf',
      words,
    },
  ];
}

function isMultiple(value: Json, steps: number[]): boolean {
  return typeof value !== 'number' || steps.every((step) => Number.isInteger(value / step));
}

function comparePatterns(sub: View, sup: View, direction: Direction): Note[] {
  const has = textsAt(sub, 'pattern');
  const missing = textsAt(sup, 'pattern').filter((pattern) => !has.includes(pattern));
  if (missing.length === 0) return [];
  const words = `pattern ${list(missing)} ${direction === 'request' ? 'is asked for now' : 'no longer holds'}`;
  if (direction === 'response') return [{ kind: 'response-pattern-changed', keyword: 'pattern', words }];
  const kind = has.length === 0 && !sub.values ? 'request-pattern-added' : 'request-pattern-changed';
  return [{ kind, keyword: 'pattern', words }];
}

/** A format that only says how to show or how to read a value, or that one we don't know, changes no set of values for sure. */
const silentFormats = new Set([
  'password',
  'html',
  'commonmark',
  'media-range',
  'sf-string',
  'text',
  'string',
  'textarea',
]);
/** The formats whose values all are values of the other. */
const withinFormat: Record<string, readonly string[]> = {
  int32: ['int64'],
  int16: ['int32', 'int64'],
  int8: ['int16', 'int32', 'int64'],
  uint8: ['int16', 'int32', 'int64'],
  uint32: ['int64'],
  float: ['double'],
  email: ['idn-email'],
  hostname: ['idn-hostname'],
  uri: ['uri-reference', 'iri', 'iri-reference'],
};

function compareFormats(sub: View, sup: View, direction: Direction): Note[] {
  const has = textsAt(sub, 'format');
  const missing = textsAt(sup, 'format').filter(
    (format) => !silentFormats.has(format) && !has.some((own) => own === format || withinFormat[own]?.includes(format)),
  );
  if (missing.length === 0 || sub.values) return [];
  const own = has.length === 0 ? 'none' : list(has);
  const [now, before] = direction === 'request' ? [list(missing), own] : [own, list(missing)];
  const words = `format is ${now}, was ${before}`;
  return [
    { kind: direction === 'request' ? 'request-format-narrowed' : 'response-format-widened', keyword: 'format', words },
  ];
}

function compareEncodings(sub: View, sup: View, direction: Direction): Note[] {
  return ['contentEncoding', 'contentMediaType'].flatMap((keyword): Note[] => {
    const has = textsAt(sub, keyword);
    const missing = textsAt(sup, keyword).filter((value) => !has.includes(value));
    if (missing.length === 0) return [];
    const words = `${keyword} ${list(missing)} ${direction === 'request' ? 'is asked for now' : 'no longer holds'}`;
    const kind = direction === 'request' ? 'request-encoding-keyword-changed' : 'response-encoding-keyword-changed';
    return [{ kind, keyword, words }];
  });
}

function isTrue(view: View, keyword: string): boolean {
  return view.flat.some(({ schema }) => isObject(schema) && schema[keyword] === true);
}

/** Some names, the first ones where there are many. */
export function list(texts: readonly string[]): string {
  const shown = texts.slice(0, 6).map((text) => (text.length > 60 ? `${text.slice(0, 59)}…` : text));
  const more = texts.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
