import { isObject } from '../json.ts';
import { compareContent } from './compare-content.ts';
import { type Located, locate, type OperationSide, type Sink, schemaIn } from './operation-side.ts';
import { reachableTypes, viewOf } from './schema-view.ts';
import { typeBits } from './types.ts';

/** Parameters of an operation: what must be sent beside the body, where and how it is written. Pure. */
export function compareParameters(sink: Sink): void {
  const before = parametersOf(sink.live);
  const after = parametersOf(sink.next);
  for (const [key, live] of before) {
    const next = after.get(key);
    if (next) compareParameter(sink, live, next);
    else removed(sink, live, [...after.values()]);
  }
  for (const [key, next] of after) if (!before.has(key)) added(sink, next, [...before.values()]);
  renamedPlaces(sink);
}

/** By location and name as it counts on the wire: headers have no case, path parameters count by their position. */
function parametersOf({ side, item, operation, itemAt, method, path }: OperationSide): Map<string, Located> {
  const positions = [...path.matchAll(/\{([^{}]*)\}/g)].map(([, name]) => name);
  const parameters = new Map<string, Located>();
  for (const [list, at] of [
    [item.parameters, `${itemAt}/parameters`],
    [operation.parameters, `${itemAt}/${method}/parameters`],
  ] as const) {
    for (const [index, parameter] of (Array.isArray(list) ? list : []).entries()) {
      const located = locate(side, parameter, `${at}/${index}`);
      const name = String(located?.value.name);
      // OpenAPI, Parameter Object: header parameters of these names are ignored.
      if (!located || (located.value.in === 'header' && /^(accept|content-type|authorization)$/i.test(name))) continue;
      parameters.set(`${String(located.value.in)} ${keyOf(located, name, positions)}`, located);
    }
  }
  return parameters;
}

function keyOf({ value }: Located, name: string, positions: readonly (string | undefined)[]): string {
  if (value.in === 'header') return name.toLowerCase();
  return value.in === 'path' && positions.includes(name) ? String(positions.indexOf(name)) : name;
}

function words({ value }: Located): string {
  return `${String(value.in)} parameter ${String(value.name)}`;
}

function removed(sink: Sink, live: Located, others: readonly Located[]): void {
  if (others.some((other) => isMoved(live, other))) return;
  sink.find('parameter-removed', `the ${words(live)} is gone: what is sent is ignored or refused`, { live: live.at });
}

function isMoved(live: Located, next: Located): boolean {
  return live.value.name === next.value.name && live.value.in !== next.value.in;
}

function added(sink: Sink, next: Located, others: readonly Located[]): void {
  const moved = others.find((other) => isMoved(other, next));
  if (moved) {
    sink.find('parameter-moved', `the ${words(moved)} is a ${words(next)} now`, { live: moved.at, next: next.at });
  } else if (next.value.required === true) {
    sink.find('parameter-required-added', `the ${words(next)} is new and must be sent`, { next: next.at });
  } else {
    sink.find('parameter-added', `the ${words(next)} is new and optional`, { next: next.at });
  }
}

function compareParameter(sink: Sink, live: Located, next: Located): void {
  const place = { live: live.at, next: next.at };
  if (next.value.required === true && live.value.required !== true) {
    sink.find('parameter-became-required', `the ${words(next)} must be sent now`, place);
  }
  if (isObject(live.value.content) || isObject(next.value.content)) {
    if (!isObject(live.value.content) || !isObject(next.value.content)) {
      sink.find('parameter-serialization-changed', `the ${words(next)} is written in another way now`, place);
    } else {
      compareContent(sink, live, next, 'request');
    }
    return;
  }
  compareStyle(sink, live, next);
  for (const [keyword, meaning] of [
    ['allowReserved', 'reserved characters must be escaped now'],
    ['allowEmptyValue', 'may not be empty any more'],
  ] as const) {
    if (live.value[keyword] === true && next.value[keyword] !== true) {
      sink.find('parameter-characters-narrowed', `in the ${words(next)}, ${meaning}`, place);
    }
  }
  sink.compare(schemaIn(sink.live.side, live), schemaIn(sink.next.side, next), 'request');
}

/** How lists and objects are written; the defaults are those of OpenAPI's Parameter Object. */
function compareStyle(sink: Sink, live: Located, next: Located): void {
  const before = styleOf(live);
  const after = styleOf(next);
  const lists = reachableTypes(viewOf(schemaIn(sink.live.side, live))) & (typeBits.array | typeBits.object);
  const styles = before.style !== after.style && (lists !== 0 || live.value.in === 'path');
  if (!styles && (before.explode === after.explode || lists === 0)) return;
  const way = ({ style, explode }: typeof after) => `${style}${explode ? ', exploded' : ''}`;
  sink.find(
    'parameter-serialization-changed',
    `the ${words(next)} is written as ${way(after)} now, was ${way(before)}`,
    {
      live: live.at,
      next: next.at,
    },
  );
}

function styleOf({ value }: Located): { style: string; explode: boolean } {
  const usual = value.in === 'query' || value.in === 'cookie' ? 'form' : 'simple';
  const style = typeof value.style === 'string' ? value.style : usual;
  return { style, explode: typeof value.explode === 'boolean' ? value.explode : style === 'form' };
}

function renamedPlaces({ live, next, find }: Sink): void {
  if (live.path === next.path) return;
  find('path-parameter-renamed', `${live.path} is written ${next.path} now: the same requests`, {
    live: live.itemAt,
    next: next.itemAt,
  });
}
