import { escapeToken, isObject, type Json, type JsonObject, pointerTokens, valueAt } from '../json.ts';
import type { Demand } from './compare-objects.ts';
import type { Direction } from './compare-values.ts';
import { type FindingKind, finding, type LocalFinding, type OperationName, type Severity } from './finding.ts';
import { type Conjunction, conjunctionAt, type Side } from './schema-parts.ts';

/** One operation as one document describes it. Pure. */
export interface OperationSide {
  side: Side;
  path: string;
  method: string;
  item: JsonObject;
  operation: JsonObject;
  /** JSON Pointer of the path item. */
  itemAt: string;
}

/** A value with its JSON Pointer, after references were followed. */
export interface Located {
  value: JsonObject;
  at: string;
}

/** Follows references of a parameter, body, response or header. */
export function locate(side: Side, value: Json | undefined, at: string): Located | undefined {
  let found = value;
  let place = at;
  for (let steps = 0; isObject(found) && typeof found.$ref === 'string' && steps < 100; steps++) {
    const tokens = pointerTokens(found.$ref.slice(1));
    place = tokens.map((token) => `/${escapeToken(token)}`).join('');
    found = valueAt(side.root, tokens);
  }
  return isObject(found) ? { value: found, at: place } : undefined;
}

/** The schema of a parameter, header or media type. */
export function schemaIn(side: Side, { value, at }: Located): Conjunction {
  return conjunctionAt(side, value.schema, `${at}/schema`);
}

/** Where findings of one pair of operations go. */
export interface Sink {
  live: OperationSide;
  next: OperationSide;
  find(kind: FindingKind, words: string, place: { live?: string; next?: string }, severity?: Severity): void;
  /** Asks for the schemas to be compared; `live` first, whatever the direction. */
  compare(live: Conjunction, next: Conjunction, direction: Direction): void;
}

/** A sink that keeps what is found and passes on what is to be compared. */
export function makeSink(
  live: OperationSide,
  next: OperationSide,
  found: LocalFinding[],
  demand: (demand: Demand, direction: Direction) => void,
): Sink {
  return {
    live,
    next,
    find: (kind, words, place, severity) => found.push(finding(kind, words, place, severity)),
    compare: (a, b, direction) => demand(direction === 'request' ? [a, b] : [b, a], direction),
  };
}

/** `GET /things/{id}`. */
export function operationWords({ method, path }: OperationName): string {
  return `${method.toUpperCase()} ${path}`;
}
