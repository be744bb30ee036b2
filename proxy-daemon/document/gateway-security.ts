/**
 * What the gateway's front door asks of a service's callers, in its part of the merged document: login schemes beside the service's
 * own, and the door's refusals. Each operation keeps what it says itself. Pure.
 */
import type { DocumentDoor, DocumentRules } from '../document-source.ts';
import { findOperation } from '../routes/operation-pattern.ts';
import { operationsOf } from './grammar.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from './json.ts';
import type { Fragment } from './namespace.ts';
import { servicePrefix } from './prefix.ts';

const refusals: Record<string, { description: string; headers?: JsonObject }> = {
  401: {
    description: 'The gateway does not know the caller: its API key, or its user and password, is missing or wrong.',
    headers: { 'WWW-Authenticate': { schema: { type: 'string' } } },
  },
  403: { description: 'The gateway asks for a client certificate that it accepts.' },
  413: { description: 'The body is larger than the gateway lets through.' },
  429: {
    description: 'More requests than the gateway lets one client make.',
    headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } },
  },
};

const errorSchema: JsonObject = {
  type: 'object',
  description: 'What the gateway answers itself.',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: Object.fromEntries(
        ['code', 'message', 'service', 'hint', 'requestId'].map((name) => [name, { type: 'string' }]),
      ),
    },
  },
};

/**
 * The fragment of a service at `route`, with it. Names of components hold no `_`, as all names of a service's own do: so they
 * can't clash.
 */
export function withGatewaySecurity(
  fragment: Fragment,
  { service, route }: { service: string; route: string },
  door: DocumentDoor | undefined,
): Fragment {
  if (door === undefined) return fragment;
  const name = (part: string) => `${servicePrefix(service)}.gateway.${part}`;
  const rules = [door, ...door.operations];
  const schemes = rules.flatMap((one) =>
    Object.entries(schemesOf(one, door)).map(([part, scheme]) => [name(part), scheme] as const),
  );
  const statuses = [...new Set(rules.flatMap(statusesOf))].sort();
  const answers = statuses.map((status): [string, Json] => [name(status), answerOf(status, name('error'))]);
  const { components } = fragment;
  const told = (path: string, method: string, operation: JsonObject) => {
    const asked = rulesOf(door, method, path.slice(route === '/' ? 0 : route.length));
    const needed = Object.keys(schemesOf(asked, door)).map((part): [string, Json] => [name(part), []]);
    return withAnswers(withNeeds(operation, Object.fromEntries(needed)), statusesOf(asked), name);
  };
  return {
    ...fragment,
    paths: mapped(fragment.paths, (item, path) => ({
      ...item,
      ...Object.fromEntries(operationsOf(item).map(([method, operation]) => [method, told(path, method, operation)])),
    })),
    components: {
      ...components,
      ...(schemes.length > 0
        ? { securitySchemes: { ...components.securitySchemes, ...Object.fromEntries(schemes) } }
        : {}),
      ...(answers.length > 0
        ? {
            responses: { ...components.responses, ...Object.fromEntries(answers) },
            schemas: { ...components.schemas, [name('error')]: errorSchema },
          }
        : {}),
    },
  };
}

/** What a request of an operation meets. Its parameters stand for any text but one that is written out. */
function rulesOf(door: DocumentDoor, method: string, path: string): DocumentRules {
  const found = findOperation(door.operations, method.toUpperCase(), path.replaceAll(/\{[^{}]*\}/g, '~') || '/');
  return found === null || found === 'refused' ? door : found;
}

/** An operation's keys may be in another header than those of its service. */
function schemesOf({ keyHeader, users, certificate }: DocumentRules, door: DocumentDoor): Record<string, JsonObject> {
  const key = keyHeader === door.keyHeader ? 'key' : `key.${keyHeader}`;
  return {
    ...(keyHeader === null
      ? {}
      : { [key]: { type: 'apiKey', in: 'header', name: keyHeader, description: "An API key of the gateway's." } }),
    ...(users
      ? { basic: { type: 'http', scheme: 'basic', description: "A user of the gateway's, with password." } }
      : {}),
    ...(certificate
      ? { certificate: { type: 'mutualTLS', description: 'A client certificate that the gateway accepts.' } }
      : {}),
  };
}

function statusesOf({ keyHeader, users, certificate, bodies, rate }: DocumentRules): string[] {
  return [
    ...(keyHeader !== null || users ? ['401'] : []),
    ...(certificate ? ['403'] : []),
    ...(bodies ? ['413'] : []),
    ...(rate ? ['429'] : []),
  ];
}

function answerOf(status: string, error: string): JsonObject {
  const schema = { $ref: `#/components/schemas/${error}` };
  return { ...refusals[status], content: { 'application/json': { schema } } };
}

/** Each way in of the operation's own, and the gateway's beside it. */
function withNeeds(operation: JsonObject, needed: JsonObject): JsonObject {
  if (Object.keys(needed).length === 0) return operation;
  const own = Array.isArray(operation.security) && operation.security.length > 0 ? operation.security : [{}];
  return { ...operation, security: own.map((need) => (isObject(need) ? { ...need, ...needed } : need)) };
}

/** What the operation says itself of such an answer stays. */
function withAnswers(operation: JsonObject, statuses: readonly string[], name: (part: string) => string): JsonObject {
  const own = objectAt(operation, 'responses');
  const more = statuses.filter((status) => status !== '413' || operation.requestBody !== undefined);
  const added = more.map((status): [string, Json] => [status, { $ref: `#/components/responses/${name(status)}` }]);
  return added.length === 0 ? operation : { ...operation, responses: { ...Object.fromEntries(added), ...own } };
}

function mapped(
  paths: Record<string, JsonObject>,
  change: (item: JsonObject, path: string) => JsonObject,
): Record<string, JsonObject> {
  const changed = entriesOf(paths).map(([path, item]): [string, JsonObject] => [
    path,
    isObject(item) ? change(item, path) : {},
  ]);
  return Object.fromEntries(changed);
}
