import { componentSections, type Kind, schemaKeywords } from './grammar.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

/**
 * What each object of an OpenAPI 3.1 document may hold, as far as one part can be wrong without the others: see repair-fields.ts.
 * Pure.
 */

/** The value itself, another one that means the same (`"true"`), or undefined where it can't be meant. */
export type Check = (value: Json) => Json | undefined;

export interface Rules {
  fields: Readonly<Record<string, Check>>;
  /** True where unknown fields are the object's own business, as in schemas. */
  open?: boolean;
  /** The repaired object, or undefined where nothing is left of it; `say` tells people what was done. */
  finish?: (node: JsonObject, say: (what: string) => void) => JsonObject | undefined;
}

const any: Check = (value) => value;
const object: Check = (value) => (isObject(value) ? value : undefined);
const list: Check = (value) => (Array.isArray(value) ? value : undefined);
const text: Check = (value) =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? `${value}` : undefined;
/** Nothing else can be meant: what is not a text refers to nothing. */
const reference: Check = (value) => (typeof value === 'string' ? value : undefined);
const flag: Check = (value) =>
  typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined;
const number: Check = (value) => {
  const meant = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof meant === 'number' && Number.isFinite(meant) ? meant : undefined;
};
const count: Check = (value) => {
  const meant = number(value);
  return typeof meant === 'number' && Number.isInteger(meant) && meant >= 0 ? meant : undefined;
};
const texts: Check = (value) =>
  Array.isArray(value) ? [...new Set(value.filter((item) => typeof item === 'string'))] : undefined;
const schema: Check = (value) => (isObject(value) || typeof value === 'boolean' ? value : undefined);
const schemas: Check = (value) => {
  const good = Array.isArray(value) ? value.filter((item) => schema(item) !== undefined) : [];
  return good.length > 0 ? good : undefined;
};
const objects: Check = (value) => (Array.isArray(value) ? value.filter(isObject) : undefined);
const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined && check(item) !== undefined))
      : undefined;
const oneOf =
  (...allowed: string[]): Check =>
  (value) =>
    typeof value === 'string' && allowed.includes(value) ? value : undefined;
const withText =
  (...needed: string[]): Check =>
  (value) =>
    isObject(value) && needed.every((key) => typeof value[key] === 'string') ? value : undefined;

const externalDocs = withText('url');
const servers: Check = (value) =>
  Array.isArray(value) ? value.filter((item) => withText('url')(item) !== undefined) : undefined;
const styles = oneOf('matrix', 'label', 'simple', 'form', 'spaceDelimited', 'pipeDelimited', 'deepObject');
const security: Check = (value) =>
  Array.isArray(value) ? value.filter((item) => mapOf(list)(item) !== undefined) : undefined;
const operationMap = Object.fromEntries(
  ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'].map((method) => [method, object]),
);
/** Many are meant without the flag that JSON Schema asks for. */
const regex: Check = (value) =>
  typeof value === 'string' && ['u', ''].some((flags) => isPattern(value, flags)) ? value : undefined;
function isPattern(value: string, flags: string): boolean {
  try {
    return new RegExp(value, flags) !== undefined;
  } catch {
    return false;
  }
}

const typeNames = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'];
/** What authors write for a type, and mean. */
const meantTypes: Readonly<Record<string, string>> = {
  ...Object.fromEntries(typeNames.map((name) => [name, name])),
  int: 'integer',
  int32: 'integer',
  int64: 'integer',
  long: 'integer',
  float: 'number',
  double: 'number',
  decimal: 'number',
  bool: 'boolean',
  str: 'string',
  text: 'string',
  date: 'string',
  datetime: 'string',
  'date-time': 'string',
  uuid: 'string',
  file: 'string',
  list: 'array',
  map: 'object',
  dict: 'object',
};
const type: Check = (value) => {
  const names = (Array.isArray(value) ? value : [value]).map((name) =>
    typeof name === 'string' ? meantTypes[name.toLowerCase()] : undefined,
  );
  const known = [...new Set(names.filter((name) => name !== undefined))];
  if (known.length === 0 || known.length < names.length) return undefined;
  return known.length === 1 ? known[0] : known;
};

const content = { schema, content: mapOf(object), example: any, examples: mapOf(object) };
const describedAs = {
  description: text,
  deprecated: flag,
  required: flag,
  style: styles,
  explode: flag,
  allowReserved: flag,
};

/** A parameter or header needs exactly one of `schema` and `content`, and `content` one media type. */
function withSchema(node: JsonObject, say: (what: string) => void): JsonObject {
  const { content: media, ...rest } = node;
  if (node.schema !== undefined) {
    if (media !== undefined) say('has a schema and a content: the schema counts');
    return media === undefined ? node : rest;
  }
  const [first, ...more] = isObject(media) ? Object.entries(media) : [];
  if (first && more.length === 0) return node;
  say(first ? 'has several contents: the first counts' : 'has no schema: any value is taken');
  return first ? { ...rest, content: { [first[0]]: first[1] } } : { ...rest, schema: {} };
}

function withOneExample(node: JsonObject, say: (what: string) => void): JsonObject {
  if (node.example === undefined || node.examples === undefined) return node;
  const { example, ...rest } = node;
  say('has an example and examples: the examples count');
  return rest;
}

export const rulesOf: Partial<Record<Kind, Rules>> = {
  components: {
    fields: Object.fromEntries(
      componentSections.map((section) => [section, mapOf(section === 'schemas' ? schema : object)]),
    ),
  },
  pathItem: {
    fields: { $ref: reference, summary: text, description: text, servers, parameters: objects, ...operationMap },
  },
  operation: {
    finish: (node, say) => {
      const { responses, ...rest } = node;
      if (!isObject(responses) || Object.keys(responses).some((status) => !status.startsWith('x-'))) return node;
      say('has no response among its responses: dropped');
      return rest;
    },
    fields: {
      tags: texts,
      summary: text,
      description: text,
      externalDocs,
      operationId: text,
      parameters: objects,
      requestBody: object,
      responses: mapOf(object),
      callbacks: mapOf(object),
      deprecated: flag,
      security,
      servers,
    },
  },
  parameter: {
    fields: {
      name: text,
      in: oneOf('query', 'header', 'path', 'cookie'),
      allowEmptyValue: flag,
      ...describedAs,
      ...content,
    },
    finish: (node, say) => {
      if (typeof node.name !== 'string' || node.in === undefined) return undefined;
      const whole = withOneExample(withSchema(node, say), say);
      if (node.in !== 'path' || node.required === true) return whole;
      say('is in the path, so it is required');
      return { ...whole, required: true };
    },
  },
  header: {
    fields: { ...describedAs, style: oneOf('simple'), ...content },
    finish: (node, say) => withOneExample(withSchema(node, say), say),
  },
  requestBody: {
    fields: { description: text, content: mapOf(object), required: flag },
    finish: (node) => (isObject(node.content) ? node : undefined),
  },
  mediaType: {
    fields: { schema, example: any, examples: mapOf(object), encoding: mapOf(object) },
    finish: withOneExample,
  },
  encoding: {
    fields: {
      contentType: text,
      headers: mapOf(object),
      style: oneOf('form', 'spaceDelimited', 'pipeDelimited', 'deepObject'),
      explode: flag,
      allowReserved: flag,
    },
  },
  response: {
    fields: { description: text, headers: mapOf(object), content: mapOf(object), links: mapOf(object) },
    finish: (node, say) => {
      if (node.description !== undefined) return node;
      say('has no description');
      return { description: '', ...node };
    },
  },
  example: { fields: { summary: text, description: text, value: any, externalValue: text } },
  link: {
    fields: {
      operationRef: text,
      operationId: text,
      parameters: object,
      requestBody: any,
      description: text,
      server: withText('url'),
    },
    finish: (node) => (node.operationId === undefined && node.operationRef === undefined ? undefined : node),
  },
  securityScheme: {
    fields: {
      type: oneOf('apiKey', 'http', 'mutualTLS', 'oauth2', 'openIdConnect'),
      description: text,
      name: text,
      in: oneOf('query', 'header', 'cookie'),
      scheme: text,
      bearerFormat: text,
      flows: object,
      openIdConnectUrl: text,
    },
    finish: (node) => {
      const needs: Record<string, string[]> = {
        apiKey: ['name', 'in'],
        http: ['scheme'],
        oauth2: ['flows'],
        openIdConnect: ['openIdConnectUrl'],
      };
      const needed = typeof node.type === 'string' ? (needs[node.type] ?? []) : ['type'];
      return needed.every((key) => node[key] !== undefined) ? node : undefined;
    },
  },
  schema: {
    open: true,
    fields: {
      $ref: reference,
      $comment: text,
      title: text,
      description: text,
      type,
      format: text,
      pattern: regex,
      enum: list,
      required: texts,
      multipleOf: (value) => {
        const meant = number(value);
        return typeof meant === 'number' && meant > 0 ? meant : undefined;
      },
      ...Object.fromEntries(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map((key) => [key, number])),
      ...Object.fromEntries(
        [
          'minLength',
          'maxLength',
          'minItems',
          'maxItems',
          'minProperties',
          'maxProperties',
          'minContains',
          'maxContains',
        ].map((key) => [key, count]),
      ),
      ...Object.fromEntries(['uniqueItems', 'deprecated', 'readOnly', 'writeOnly'].map((key) => [key, flag])),
      ...Object.fromEntries(schemaKeywords.lists.map((key) => [key, schemas])),
      ...Object.fromEntries(schemaKeywords.ones.map((key) => [key, schema])),
      ...Object.fromEntries(schemaKeywords.maps.map((key) => [key, mapOf(schema)])),
      dependentRequired: mapOf(texts),
      examples: list,
      discriminator: withText('propertyName'),
      externalDocs,
      xml: object,
      contentEncoding: text,
      contentMediaType: text,
    },
  },
};

/** The root's own fields; `info` is always there afterwards. */
export const rootRules: Rules = {
  fields: {
    openapi: text,
    info: object,
    jsonSchemaDialect: text,
    servers,
    paths: mapOf(object),
    webhooks: mapOf(object),
    components: object,
    security,
    tags: (value) => (Array.isArray(value) ? value.filter((item) => withText('name')(item) !== undefined) : undefined),
    externalDocs,
  },
  finish: (node, say) => {
    const info = isObject(node.info) ? node.info : {};
    const { title, version, contact, license, summary, description, termsOfService, ...rest } = info;
    if (typeof title !== 'string' || typeof version !== 'string') say('info: title and version are needed, as texts');
    const kept = Object.entries({
      contact: object,
      license: withText('name'),
      summary: text,
      description: text,
      termsOfService: text,
    })
      .map(([key, check]): [string, Json | undefined] => [key, check(info[key] ?? null)])
      .filter(([, value]) => value !== undefined);
    const extensions = Object.entries(rest).filter(([key]) => key.startsWith('x-'));
    return {
      ...node,
      info: {
        title: text(title ?? null) ?? 'Untitled',
        version: text(version ?? null) ?? '0',
        ...Object.fromEntries([...kept, ...extensions]),
      },
      ...(node.paths === undefined && node.webhooks === undefined && node.components === undefined
        ? { paths: {} }
        : {}),
    };
  },
};
