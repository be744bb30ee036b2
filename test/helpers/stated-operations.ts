import {
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  pointerTokens,
  valueAt,
} from '../../proxy-daemon/document/json.ts';

/** What a service's own document, in whatever format, states of one operation: an oracle that knows nothing of merging. */
export interface StatedOperation {
  method: string;
  /** Path at the service, with `{names}`: the base path included. */
  path: string;
  /** Names of required query parameters, and of required headers in lower case. */
  query: string[];
  headers: string[];
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

export function statedOperations(document: JsonObject): StatedOperation[] {
  return Object.entries(objectAt(document, 'paths')).flatMap(([path, one]) => {
    const item = follow(document, one);
    return methods
      .filter((method) => isObject(item[method]))
      .map((method) => {
        const operation = objectAt(item, method);
        const required = parametersOf(document, item, operation).filter((parameter) => parameter.required === true);
        const namesIn = (place: string) =>
          required.filter((parameter) => parameter.in === place).map(({ name }) => String(name));
        return {
          method: method.toUpperCase(),
          path: basePath(document, item, operation) + path,
          query: namesIn('query'),
          headers: namesIn('header')
            .map((name) => name.toLowerCase())
            // OpenAPI says that these are not described by parameters: clients leave them out or set them otherwise.
            .filter((name) => !['accept', 'content-type', 'authorization'].includes(name)),
        };
      });
  });
}

function parametersOf(document: JsonObject, item: JsonObject, operation: JsonObject): JsonObject[] {
  const all = new Map<string, JsonObject>();
  for (const list of [item.parameters, operation.parameters]) {
    for (const one of Array.isArray(list) ? list : []) {
      const parameter = follow(document, one);
      all.set(`${String(parameter.in)} ${String(parameter.name)}`, parameter);
    }
  }
  return [...all.values()];
}

function basePath(document: JsonObject, ...levels: JsonObject[]): string {
  if (document.swagger !== undefined) return String(document.basePath ?? '').replace(/\/+$/, '');
  const servers = [...levels.toReversed(), document]
    .map((level) => level.servers)
    .find((list) => Array.isArray(list) && list.length > 0);
  const server = Array.isArray(servers) ? servers[0] : undefined;
  if (!isObject(server)) return '';
  const variables = objectAt(server, 'variables');
  const url = String(server.url).replace(/\{(\w+)\}/g, (_, name) => String(objectAt(variables, name).default ?? ''));
  return new URL(url, 'http://service').pathname.replace(/\/+$/, '');
}

function follow(document: JsonObject, node: Json | undefined): JsonObject {
  let whole: Json | undefined = node;
  for (let steps = 0; isObject(whole) && typeof whole.$ref === 'string' && steps < 50; steps++) {
    whole = valueAt(document, pointerTokens(whole.$ref.slice(1)));
  }
  return isObject(whole) ? whole : {};
}
