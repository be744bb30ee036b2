import {
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  pointerTokens,
  valueAt,
} from '../../proxy-daemon/document/json.ts';

/**
 * A client that knows an API by its OpenAPI 3.1 document alone: it makes one request for each operation, with what is required,
 * made up from the schemas.
 */

export interface GeneratedRequest {
  method: string;
  /** As the document spells it, with `{names}`. */
  template: string;
  /** Path and query. */
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** What was put in the place of each path parameter, percent-encoded. */
  pathValues: Record<string, string>;
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

export function generateRequests(document: JsonObject): GeneratedRequest[] {
  const server =
    Array.isArray(document.servers) && isObject(document.servers[0]) ? String(document.servers[0].url) : '/';
  return Object.entries(objectAt(document, 'paths')).flatMap(([template, item]) =>
    !isObject(item)
      ? []
      : methods
          .filter((method) => isObject(item[method]))
          .map((method) => requestFor(document, server, template, method, item, objectAt(item, method))),
  );
}

function requestFor(
  document: JsonObject,
  server: string,
  template: string,
  method: string,
  item: JsonObject,
  operation: JsonObject,
): GeneratedRequest {
  const parameters = new Map<string, JsonObject>();
  for (const list of [item.parameters, operation.parameters]) {
    for (const one of Array.isArray(list) ? list : []) {
      const parameter = resolve(document, one);
      parameters.set(`${String(parameter.in)} ${String(parameter.name)}`, parameter);
    }
  }
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  const pathValues: Record<string, string> = {};
  for (const parameter of parameters.values()) {
    const name = String(parameter.name);
    if (parameter.in === 'path')
      pathValues[name] = encodeURIComponent(textFor(document, parameter)).replaceAll('.', '%2E');
    if (parameter.required !== true) continue;
    if (parameter.in === 'query') query.set(name, textFor(document, parameter));
    if (parameter.in === 'header') headers[name.toLowerCase()] = encodeURIComponent(textFor(document, parameter));
  }
  // A `#` begins the fragment of a URL, which is never sent.
  const path = template.replace(/#.*$/, '').replace(/\{([^{}]+)\}/g, (_, name: string) => {
    pathValues[name] ??= 'undescribed';
    return pathValues[name];
  });
  const search = query.size === 0 ? '' : `${path.includes('?') ? '&' : '?'}${query}`;
  const request = {
    method: method.toUpperCase(),
    template,
    url: server.replace(/\/$/, '') + path + search,
    headers,
    pathValues,
  };
  const body = resolve(document, operation.requestBody);
  const [type, media] = Object.entries(objectAt(body, 'content'))[0] ?? [];
  if (body.required !== true || type === undefined) return request;
  const value = synthesise(document, isObject(media) ? (media.schema ?? {}) : {});
  headers['content-type'] = type.includes('*') ? 'application/octet-stream' : type;
  return { ...request, body: JSON.stringify(value) };
}

function textFor(document: JsonObject, parameter: JsonObject): string {
  const media = Object.values(objectAt(parameter, 'content'))[0];
  const value = synthesise(document, parameter.schema ?? (isObject(media) ? (media.schema ?? {}) : {}));
  const scalar = Array.isArray(value) ? (value[0] ?? 'item') : value;
  const text = isObject(scalar) || scalar === null ? 'value' : String(scalar);
  return text === '' ? 'value' : text;
}

const formats: Record<string, string> = {
  'date-time': '2026-01-02T03:04:05Z',
  date: '2026-01-02',
  uuid: '123e4567-e89b-42d3-a456-426614174000',
  email: 'someone@example.org',
  uri: 'https://example.org/',
  ipv4: '192.0.2.1',
};

/** A value that the schema allows, as far as types, enumerations, bounds and required properties go. */
function synthesise(document: JsonObject, schema: Json, depth = 0): Json {
  if (!isObject(schema) || depth > 12) return 'value';
  const whole = resolve(document, schema);
  if (whole.const !== undefined) return whole.const;
  if (Array.isArray(whole.enum) && whole.enum.length > 0)
    return whole.enum.find((value) => value !== null && value !== '') ?? null;
  for (const key of ['oneOf', 'anyOf', 'allOf']) {
    const [first, ...others] = Array.isArray(whole[key]) ? whole[key] : [];
    if (first === undefined || whole.type !== undefined) continue;
    const value = synthesise(document, first, depth + 1);
    if (key !== 'allOf' || !isObject(value)) return value;
    return Object.assign({}, value, ...others.map((other) => synthesise(document, other, depth + 1)).filter(isObject));
  }
  const types = (Array.isArray(whole.type) ? whole.type : [whole.type]).filter((type) => type !== 'null');
  if (types[0] === 'integer' || types[0] === 'number')
    return typeof whole.minimum === 'number' ? Math.ceil(whole.minimum) : 7;
  if (types[0] === 'boolean') return true;
  if (types[0] === 'array') return [synthesise(document, whole.items ?? {}, depth + 1)];
  if (types[0] === 'object' || isObject(whole.properties)) {
    const needed = Array.isArray(whole.required) ? whole.required.map(String) : [];
    const properties = objectAt(whole, 'properties');
    return Object.fromEntries(needed.map((name) => [name, synthesise(document, properties[name] ?? {}, depth + 1)]));
  }
  const text = formats[String(whole.format)] ?? 'value';
  return typeof whole.minLength === 'number' ? text.padEnd(Math.min(whole.minLength, 100), 'x') : text;
}

function resolve(document: JsonObject, node: Json | undefined): JsonObject {
  let whole: Json | undefined = node;
  for (let steps = 0; isObject(whole) && typeof whole.$ref === 'string' && steps < 50; steps++) {
    whole = valueAt(document, pointerTokens(whole.$ref.slice(1)));
  }
  return isObject(whole) ? whole : {};
}
