import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../proxy-daemon/document/json.ts';
import { isObject, objectAt } from '../../proxy-daemon/document/json.ts';

/**
 * An oracle for rewriting documents, which knows nothing of how they are rewritten: two places in two documents mean the
 * same where following every reference shows the same structure. Recursive schemas are compared by assuming that a pair of
 * references that is being compared is equal.
 */

interface Side {
  document: JsonObject;
  /** How this document's paths, tags and operation ids look in the original. */
  original: (operation: { path: string; method: string }) => { path: string; method: string };
}

/** Keys under which names are mapped, so that a name like `default` or `$ref` is a name. */
const maps = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'dependentSchemas',
  'headers',
  'content',
  'responses',
  'encoding',
]);
const data = new Set(['example', 'default', 'const', 'enum', 'value', 'required', 'parameters-of-link']);
const renamed = new Set(['operationId', 'tags', 'x-mcp-versions', 'x-mcp-version-only', 'servers']);

export function assertSameMeaning(
  a: Side,
  b: Side,
  nodeA: Json | undefined,
  nodeB: Json | undefined,
  where: string,
): void {
  new Comparison(a, b).node(nodeA, nodeB, where);
}

class Comparison {
  readonly #a: Side;
  readonly #b: Side;
  readonly #assumed = new Set<string>();

  constructor(a: Side, b: Side) {
    this.#a = a;
    this.#b = b;
  }

  node(a: Json | undefined, b: Json | undefined, where: string): void {
    if (Array.isArray(a) && Array.isArray(b)) {
      assert.equal(a.length, b.length, where);
      a.forEach((item, index) => {
        this.node(item, b[index], `${where}/${index}`);
      });
      return;
    }
    if (!isObject(a) || !isObject(b)) {
      assert.deepEqual(a, b, where);
      return;
    }
    if (typeof a.$ref === 'string' || typeof b.$ref === 'string') {
      const pair = `${String(a.$ref)} ${String(b.$ref)}`;
      if (this.#assumed.has(pair)) return;
      this.#assumed.add(pair);
      this.node(follow(this.#a.document, a), follow(this.#b.document, b), `${where} -> ${pair}`);
      const { $ref: refA, ...restA } = a;
      const { $ref: refB, ...restB } = b;
      if (typeof a.$ref === 'string' && typeof b.$ref === 'string') this.fields(restA, restB, where);
      return;
    }
    this.fields(a, b, where);
  }

  fields(a: JsonObject, b: JsonObject, where: string): void {
    const keys = (node: JsonObject) =>
      Object.keys(node)
        .filter((key) => node[key] !== undefined && !renamed.has(key) && key !== 'security' && key !== 'discriminator')
        .sort();
    assert.deepEqual(keys(a), keys(b), `${where}: fields`);
    for (const key of keys(a)) this.field(key, a[key], b[key], `${where}/${key}`);
    this.security(a.security, b.security, `${where}/security`);
    this.discriminator(a, b, `${where}/discriminator`);
  }

  field(key: string, a: Json | undefined, b: Json | undefined, where: string): void {
    if (data.has(key) || (key === 'examples' && Array.isArray(a))) {
      assert.deepEqual(a, b, where);
    } else if (key === 'links') {
      this.map(a, b, where, (linkA, linkB, at) => this.link(linkA, linkB, at));
    } else if (maps.has(key) || (key === 'examples' && isObject(a)) || key === 'callbacks') {
      this.map(a, b, where, (itemA, itemB, at) => this.node(itemA, itemB, at));
    } else {
      this.node(a, b, where);
    }
  }

  map(a: Json | undefined, b: Json | undefined, where: string, each: (a: Json, b: Json, at: string) => void): void {
    assert.ok(isObject(a) && isObject(b), where);
    assert.deepEqual(Object.keys(a).sort(), Object.keys(b).sort(), where);
    for (const key of Object.keys(a)) each(a[key] ?? null, b[key] ?? null, `${where}/${key}`);
  }

  link(a: Json, b: Json, where: string): void {
    const linkA = isObject(a) && typeof a.$ref === 'string' ? follow(this.#a.document, a) : a;
    const linkB = isObject(b) && typeof b.$ref === 'string' ? follow(this.#b.document, b) : b;
    assert.ok(isObject(linkA) && isObject(linkB), where);
    assert.deepEqual(linkA.parameters, linkB.parameters, where);
    assert.deepEqual(
      this.#a.original(operationOf(this.#a.document, linkA)),
      this.#b.original(operationOf(this.#b.document, linkB)),
      where,
    );
  }

  security(a: Json | undefined, b: Json | undefined, where: string): void {
    assert.equal(Array.isArray(a), Array.isArray(b), where);
    if (!Array.isArray(a) || !Array.isArray(b)) return;
    assert.equal(a.length, b.length, where);
    a.forEach((need, index) => {
      const other = b[index];
      assert.ok(isObject(need) && isObject(other), where);
      const named = (side: Side, needs: JsonObject) =>
        Object.entries(needs).map(([name, scopes]) => ({
          scheme: component(side.document, 'securitySchemes', name),
          scopes,
        }));
      assert.deepEqual(named(this.#a, need), named(this.#b, other), where);
    });
  }

  /** Which schema each value stands for, told or implied, must be the same. */
  discriminator(a: JsonObject, b: JsonObject, where: string): void {
    assert.equal(isObject(a.discriminator), isObject(b.discriminator), where);
    if (!isObject(a.discriminator) || !isObject(b.discriminator)) return;
    assert.equal(a.discriminator.propertyName, b.discriminator.propertyName, where);
    const meaningA = meaningOf(this.#a.document, a);
    const meaningB = meaningOf(this.#b.document, b);
    // A schema whose name is told for another one has no value; after renaming its new name is one, which nothing sends.
    for (const value of meaningA.keys()) assert.ok(meaningB.has(value), `${where}: ${value} has no meaning`);
    for (const [value, schema] of meaningA)
      this.node({ $ref: schema }, { $ref: meaningB.get(value) ?? '#/none' }, `${where}/${value}`);
  }
}

/** Told values, and the names of alternatives that no value is told for. */
function meaningOf(document: JsonObject, schema: JsonObject): Map<string, string> {
  const told = new Map<string, string>();
  const mapping = isObject(schema.discriminator) ? objectAt(schema.discriminator, 'mapping') : {};
  for (const [value, target] of Object.entries(mapping)) {
    const name = String(target);
    told.set(value, component(document, 'schemas', name) ? `#/components/schemas/${name}` : name);
  }
  const targets = new Set(told.values());
  for (const item of [schema.oneOf, schema.anyOf].filter(Array.isArray).flat()) {
    const match =
      isObject(item) && typeof item.$ref === 'string' ? /^#\/components\/schemas\/([^/]+)$/.exec(item.$ref) : null;
    if (match?.[1] && !targets.has(match[0]) && !told.has(match[1])) told.set(match[1], match[0]);
  }
  return told;
}

function component(document: JsonObject, section: string, name: string): Json | undefined {
  const named = objectAt(objectAt(document, 'components'), section);
  return Object.hasOwn(named, name) ? named[name] : undefined;
}

/** What a reference leads to at last; fails the test where it leads nowhere. */
function follow(document: JsonObject, node: JsonObject): Json {
  if (typeof node.$ref !== 'string') return node;
  const target = resolveRef(document, node.$ref);
  assert.ok(target !== undefined, `${node.$ref} leads nowhere`);
  return isObject(target) && typeof target.$ref === 'string' && Object.keys(target).length === 1
    ? follow(document, target)
    : target;
}

/** The value a local reference points at, or undefined. */
export function resolveRef(document: JsonObject, ref: string): Json | undefined {
  let value: Json | undefined = document;
  for (const part of ref.slice(2).split('/')) {
    const token = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    value = isObject(value) || Array.isArray(value) ? (value as JsonObject)[token] : undefined;
  }
  return value;
}

function operationOf(document: JsonObject, link: JsonObject): { path: string; method: string } {
  if (typeof link.operationRef === 'string') {
    assert.ok(resolveRef(document, link.operationRef), `${link.operationRef} leads nowhere`);
    const [, , path = '', method = ''] = link.operationRef.split('/');
    return { path: decodeURIComponent(path).replaceAll('~1', '/').replaceAll('~0', '~'), method };
  }
  for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
    for (const [method, operation] of Object.entries(isObject(item) ? item : {})) {
      if (isObject(operation) && operation.operationId === link.operationId) return { path, method };
    }
  }
  return assert.fail(`no operation ${String(link.operationId)}`);
}
