import { canonicalJson } from '../../../specs/canonical-json.ts';
import { serverBase } from '../gateway-paths.ts';
import { operationsOf } from '../grammar.ts';
import { entriesOf, escapeToken, isObject, type JsonObject, objectAt } from '../json.ts';
import { compareContent, compareRequestBody } from './compare-content.ts';
import { compareParameters } from './compare-parameters.ts';
import { compareResponses } from './compare-responses.ts';
import { changedLogins, compareSecurity } from './compare-security.ts';
import { type Bounds, Comparison, defaultBounds } from './comparison.ts';
import { type Finding, finding, type LocalFinding, type OperationName } from './finding.ts';
import { locate, makeSink, type OperationSide, operationWords } from './operation-side.ts';
import { Side } from './schema-parts.ts';

/**
 * What a caller who keeps to the live document meets when the service becomes the next one. Both documents as normaliseDocument
 * makes them (OpenAPI 3.1 with local references). Findings that several operations share come once. Breaking ones first; the
 * order is the same for the same documents. Throws nothing for any normalised document; its work is bounded. Pure.
 *
 * @param route the service's route at the gateway, which an absolute server address may repeat.
 */
export function compareDocuments(
  liveDocument: JsonObject,
  nextDocument: JsonObject,
  { route = '/', bounds = defaultBounds }: { route?: string; bounds?: Bounds } = {},
): Finding[] {
  const live = new Side('live', liveDocument);
  const next = new Side('next', nextDocument);
  const before = operationsIn(live, route);
  const after = operationsIn(next, route);
  const comparison = new Comparison(liveDocument, nextDocument, bounds);
  const names: OperationName[] = [];
  const found: Located[] = [];
  const add = (local: LocalFinding[], roots: number[]) => found.push(...local.map((each) => ({ local: each, roots })));

  for (const [key, old] of before) {
    const number = names.push({ method: old.method, path: old.path }) - 1;
    const other = after.get(key);
    add(other ? compareOperations(old, other, comparison, number) : [removed(old)], [number]);
  }
  for (const [key, other] of after) {
    if (before.has(key)) continue;
    const number = names.push({ method: other.method, path: other.path }) - 1;
    add([finding('operation-added', `${operationWords(other)} is new`, { next: pointerOf(other) })], [number]);
  }
  add(compareWebhooks(live, next, comparison), []);
  add(compareLogins(liveDocument, nextDocument), []);
  for (const { finding: local, roots } of comparison.findings()) found.push({ local, roots });
  return inOrder(merged(found, names));
}

/** A finding with the numbers of the operations that meet it. */
interface Located {
  local: LocalFinding;
  roots: number[];
}

/** Operations are the same where method and path on the wire are, whatever the names of path parameters. */
function operationsIn(side: Side, route: string): Map<string, OperationSide> {
  const operations = new Map<string, OperationSide>();
  for (const [path, item] of entriesOf(objectAt(side.root, 'paths'))) {
    if (!isObject(item) || path.startsWith('x-')) continue;
    for (const [method, operation] of operationsOf(item)) {
      const key = `${method} ${serverBase(route, operation, item, side.root)}${path.replace(/\{[^{}]*\}/g, '{}')}`;
      operations.set(key, { side, path, method, item, operation, itemAt: `/paths/${escapeToken(path)}` });
    }
  }
  return operations;
}

function pointerOf({ itemAt, method }: OperationSide): string {
  return `${itemAt}/${method}`;
}

function removed(operation: OperationSide): LocalFinding {
  const warned = operation.operation.deprecated === true ? '; it was marked as deprecated' : '';
  return finding('operation-removed', `${operationWords(operation)} is gone${warned}`, { live: pointerOf(operation) });
}

function compareOperations(
  live: OperationSide,
  next: OperationSide,
  comparison: Comparison,
  number: number,
): LocalFinding[] {
  const found: LocalFinding[] = [];
  const sink = makeSink(live, next, found, (demand, direction) => comparison.demand(number, demand, direction));
  const place = { live: pointerOf(live), next: pointerOf(next) };
  compareParameters(sink);
  compareRequestBody(sink);
  compareResponses(sink);
  compareSecurity(sink);
  compareCallbacks(live, next, comparison, number, found);
  if (next.operation.deprecated === true && live.operation.deprecated !== true) {
    found.push(finding('operation-deprecated', `${operationWords(live)} is marked as deprecated`, place));
  }
  const [before, after] = [live.operation.operationId, next.operation.operationId];
  if (typeof before === 'string' && before !== after) {
    found.push(finding('operation-id-changed', `operationId is ${String(after ?? 'not set')}, was ${before}`, place));
  }
  return found;
}

function compareCallbacks(
  live: OperationSide,
  next: OperationSide,
  comparison: Comparison,
  number: number,
  found: LocalFinding[],
): void {
  const callbacks = ({ side, operation, itemAt, method }: OperationSide) =>
    new Map(
      entriesOf(objectAt(operation, 'callbacks')).flatMap(([name, callback]) => {
        const located = locate(side, callback, `${itemAt}/${method}/callbacks/${escapeToken(name)}`);
        return entriesOf(located?.value ?? {}).flatMap(([expression, item]): [string, Incoming][] =>
          isObject(item) && !expression.startsWith('x-')
            ? [[`${name} ${expression}`, { side, item, at: `${located?.at}/${escapeToken(expression)}` }]]
            : [],
        );
      }),
    );
  compareIncoming(callbacks(live), callbacks(next), 'callback', comparison, number, found);
}

function compareWebhooks(live: Side, next: Side, comparison: Comparison): LocalFinding[] {
  const found: LocalFinding[] = [];
  const webhooks = (side: Side) =>
    new Map(
      entriesOf(objectAt(side.root, 'webhooks')).flatMap(([name, item]): [string, Incoming][] =>
        isObject(item) ? [[name, { side, item, at: `/webhooks/${escapeToken(name)}` }]] : [],
      ),
    );
  compareIncoming(webhooks(live), webhooks(next), 'webhook', comparison, noOperation, found);
  return found;
}

/** Requests that the service makes and its callers answer. */
interface Incoming {
  side: Side;
  item: JsonObject;
  at: string;
}

/** Stands for no operation at all. */
const noOperation = -1;

/** What is sent to callers here must not leave what live describes: the body counts like a response's. */
function compareIncoming(
  before: ReadonlyMap<string, Incoming>,
  after: ReadonlyMap<string, Incoming>,
  kind: 'callback' | 'webhook',
  comparison: Comparison,
  number: number,
  found: LocalFinding[],
): void {
  for (const [name, old] of before) {
    const other = after.get(name);
    if (!other) found.push(finding(`${kind}-removed`, `the ${kind} ${name} is gone`, { live: old.at }));
    else
      for (const [method, operation] of operationsOf(old.item)) {
        const later = objectAt(other.item, method);
        const sides = [sideOf(old, method, operation), sideOf(other, method, later)] as const;
        const sink = makeSink(...sides, found, (demand, direction) => comparison.demand(number, demand, direction));
        const [a, b] = sides.map((each) =>
          locate(each.side, each.operation.requestBody, `${each.itemAt}/${method}/requestBody`),
        );
        if (a && b) compareContent(sink, a, b, 'response');
      }
  }
  for (const [name, other] of after) {
    if (!before.has(name)) found.push(finding(`${kind}-added`, `the ${kind} ${name} is new`, { next: other.at }));
  }
}

function sideOf({ side, item, at }: Incoming, method: string, operation: JsonObject): OperationSide {
  return { side, item, operation, method, path: '', itemAt: at };
}

function compareLogins(live: JsonObject, next: JsonObject): LocalFinding[] {
  return changedLogins(live, next).map((name) => {
    const at = `/components/securitySchemes/${escapeToken(name)}`;
    return finding('security-scheme-changed', `${name} has other login addresses now`, { live: at, next: at });
  });
}

/** One finding for each thing found, with all operations that meet it. */
function merged(found: readonly Located[], names: readonly OperationName[]): Finding[] {
  const byPlace = new Map<string, { local: LocalFinding; roots: Set<number> }>();
  for (const { local, roots } of found) {
    const key = canonicalJson(local);
    const known = byPlace.get(key) ?? { local, roots: new Set() };
    for (const root of roots) known.roots.add(root);
    byPlace.set(key, known);
  }
  return [...byPlace.values()].map(({ local: { live, next, ...rest }, roots }) => ({
    ...rest,
    where: {
      operations: [...roots].flatMap((number) => names[number] ?? []),
      ...(live === undefined ? {} : { live }),
      ...(next === undefined ? {} : { next }),
    },
  }));
}

const rank = { breaking: 0, risky: 1, safe: 2 };

function inOrder(findings: Finding[]): Finding[] {
  return findings.toSorted((a, b) => rank[a.severity] - rank[b.severity]);
}
