import test from 'ava';
import { compareDocuments } from '../../../../proxy-daemon/document/compat/compare-documents.ts';
import { type FindingKind, findingKinds, type Severity } from '../../../../proxy-daemon/document/compat/finding.ts';
import type { Json, JsonObject } from '../../../../proxy-daemon/document/json.ts';
import { rewriteOpenApi3 } from '../../../../proxy-daemon/document/normalise.ts';
import { object, oneOperation, query, withOperation } from '../../../helpers/change-cases.ts';

/** Each change with the findings it must give: all of them and no other. Every kind but the bounds' own is planted somewhere. */

const text = { type: 'string' };
const whole = { type: 'integer' };
type Case = [title: string, live: JsonObject, next: JsonObject, expected: FindingKind[]];
const planted = new Set<FindingKind>();

function kindsOf(live: JsonObject, next: JsonObject): FindingKind[] {
  const kinds = compareDocuments(rewriteOpenApi3(live), rewriteOpenApi3(next)).map(({ kind }) => kind);
  for (const kind of kinds) planted.add(kind);
  return kinds.sort();
}

function check(name: string, cases: readonly Case[]): void {
  test(name, (t) => {
    for (const [title, live, next, expected] of cases) {
      t.deepEqual(kindsOf(live, next), expected.toSorted(), title);
      t.deepEqual(kindsOf(live, live), [], `${title}: against itself`);
    }
  });
}

const sent = (schema: Json, schemas: JsonObject = {}) => oneOperation(schema, {}, {}, schemas);
const got = (schema: Json, schemas: JsonObject = {}) => oneOperation({}, schema, {}, schemas);
const field = (schema: Json, required: string[] = []) => sent(object({ a: schema }, required));
const answer = (schema: Json, required: string[] = ['a']) => got(object({ a: schema }, required));

const path = (name: string, item: JsonObject): JsonObject => ({ ...withOperation({}), paths: { [name]: item } });
const done = { responses: { '204': { description: 'Done' } } };
const pathParameter = (name: string) => ({ ...done, parameters: [{ name, in: 'path', required: true, schema: text }] });

check('operations, webhooks and callbacks that go are found, those that come are safe', [
  ['operation', path('/a', { get: done, post: done }), path('/a', { get: done }), ['operation-removed']],
  [
    'path',
    { ...withOperation({}), paths: { '/a': { get: done } } },
    { ...withOperation({}), paths: {} },
    ['operation-removed'],
  ],
  ['new operation', path('/a', { get: done }), path('/a', { get: done, put: done }), ['operation-added']],
  [
    'other name in a path',
    path('/a/{id}', { get: pathParameter('id') }),
    path('/a/{name}', { get: pathParameter('name') }),
    ['path-parameter-renamed'],
  ],
  [
    'other base path',
    { ...path('/a', { get: done }), servers: [{ url: '/v1' }] },
    { ...path('/a', { get: done }), servers: [{ url: '/v2' }] },
    ['operation-added', 'operation-removed'],
  ],
  [
    'deprecated',
    path('/a', { get: done }),
    path('/a', { get: { ...done, deprecated: true } }),
    ['operation-deprecated'],
  ],
  ['operation id', withOperation({ operationId: 'a' }), withOperation({ operationId: 'b' }), ['operation-id-changed']],
  [
    'webhook',
    withOperation({}, { webhooks: { a: { post: done } } }),
    withOperation({}, { webhooks: { b: { post: done } } }),
    ['webhook-removed', 'webhook-added'],
  ],
  [
    'what a webhook sends',
    withOperation(
      {},
      {
        webhooks: {
          a: {
            post: { ...done, requestBody: { content: { 'application/json': { schema: object({ a: text }, ['a']) } } } },
          },
        },
      },
    ),
    withOperation(
      {},
      {
        webhooks: {
          a: { post: { ...done, requestBody: { content: { 'application/json': { schema: object({ a: text }) } } } } },
        },
      },
    ),
    ['response-property-became-optional'],
  ],
  [
    'callback',
    withOperation({ callbacks: { a: { '{$request.body#/url}': { post: done } } } }),
    withOperation({ callbacks: { b: { '{$request.body#/url}': { post: done } } } }),
    ['callback-removed', 'callback-added'],
  ],
]);

check('parameters', [
  [
    'new and required',
    withOperation({}),
    withOperation({ parameters: [query('q', { required: true })] }),
    ['parameter-required-added'],
  ],
  ['new and optional', withOperation({}), withOperation({ parameters: [query('q')] }), ['parameter-added']],
  ['gone', withOperation({ parameters: [query('q')] }), withOperation({}), ['parameter-removed']],
  [
    'required now',
    withOperation({ parameters: [query('q')] }),
    withOperation({ parameters: [query('q', { required: true })] }),
    ['parameter-became-required'],
  ],
  [
    'optional now',
    withOperation({ parameters: [query('q', { required: true })] }),
    withOperation({ parameters: [query('q')] }),
    [],
  ],
  [
    'moved',
    withOperation({ parameters: [query('q')] }),
    withOperation({ parameters: [query('q', { in: 'header' })] }),
    ['parameter-moved'],
  ],
  [
    'headers have no case',
    withOperation({ parameters: [query('X-Q', { in: 'header' })] }),
    withOperation({ parameters: [query('x-q', { in: 'header' })] }),
    [],
  ],
  [
    'list not exploded',
    withOperation({ parameters: [query('q', { schema: { type: 'array', items: text } })] }),
    withOperation({ parameters: [query('q', { schema: { type: 'array', items: text }, explode: false })] }),
    ['parameter-serialization-changed'],
  ],
  [
    'explode of a single value says nothing',
    withOperation({ parameters: [query('q')] }),
    withOperation({ parameters: [query('q', { explode: false })] }),
    [],
  ],
  [
    'reserved characters',
    withOperation({ parameters: [query('q', { allowReserved: true })] }),
    withOperation({ parameters: [query('q')] }),
    ['parameter-characters-narrowed'],
  ],
  [
    'narrower',
    withOperation({ parameters: [query('q', { schema: { type: ['string', 'integer'] } })] }),
    withOperation({ parameters: [query('q')] }),
    ['request-type-narrowed'],
  ],
  [
    'written as JSON',
    withOperation({ parameters: [query('q')] }),
    withOperation({ parameters: [{ name: 'q', in: 'query', content: { 'application/json': { schema: text } } }] }),
    ['parameter-serialization-changed'],
  ],
  [
    'of the path item',
    { ...withOperation({}), paths: { '/things': { post: done } } },
    { ...withOperation({}), paths: { '/things': { parameters: [query('q', { required: true })], post: done } } },
    ['parameter-required-added'],
  ],
]);

const plainBody = { requestBody: { content: { 'text/plain': { schema: text } } } };
const bodyOf = (types: string[], more: JsonObject = {}) =>
  withOperation({
    requestBody: { content: Object.fromEntries(types.map((type) => [type, { schema: text }])), ...more },
  });

check('request bodies and their content types', [
  ['new and required', withOperation({}), bodyOf(['text/plain'], { required: true }), ['request-body-required-added']],
  ['new and optional', withOperation({}), withOperation(plainBody), ['request-body-added']],
  ['gone', withOperation(plainBody), withOperation({}), ['request-body-removed']],
  [
    'required now',
    withOperation(plainBody),
    bodyOf(['text/plain'], { required: true }),
    ['request-body-became-required'],
  ],
  [
    'content type gone',
    bodyOf(['text/plain', 'application/json']),
    bodyOf(['application/json']),
    ['request-content-type-removed'],
  ],
  ['content type in a range', bodyOf(['text/plain']), bodyOf(['text/*']), []],
  ['charset is no other type', bodyOf(['text/plain; charset=utf-8']), bodyOf(['text/plain']), []],
  [
    'parts written otherwise',
    withOperation({ requestBody: { content: { 'multipart/form-data': { schema: object({ a: text }) } } } }),
    withOperation({
      requestBody: {
        content: {
          'multipart/form-data': { schema: object({ a: text }), encoding: { a: { contentType: 'text/csv' } } },
        },
      },
    }),
    ['request-encoding-changed'],
  ],
]);

check('what is sent may become more, not less', [
  ['type', field({ type: ['string', 'integer'] }), field(text), ['request-type-narrowed']],
  ['whole numbers only', field({ type: 'number' }), field(whole), ['request-type-narrowed']],
  ['all numbers', field(whole), field({ type: 'number' }), []],
  ['type that was free', field({}), field(text), ['request-type-narrowed']],
  ['null', field({ type: ['string', 'null'] }), field(text), ['request-became-not-nullable']],
  ['null allowed', field(text), field({ type: ['string', 'null'] }), []],
  ['enum', field(text), field({ ...text, enum: ['x'] }), ['request-became-enum']],
  ['enum value gone', field({ enum: ['x', 'y'] }), field({ enum: ['x'] }), ['request-enum-value-removed']],
  ['enum value new', field({ enum: ['x'] }), field({ enum: ['y', 'x'] }), []],
  ['const for enum', field({ enum: ['x'] }), field({ const: 'x' }), []],
  ['both booleans', field({ type: 'boolean' }), field({ enum: [true, false] }), []],
  ['minimum', field({ ...whole, minimum: 1 }), field({ ...whole, minimum: 2 }), ['request-range-narrowed']],
  [
    'exclusive',
    field({ type: 'number', minimum: 1 }),
    field({ type: 'number', exclusiveMinimum: 1 }),
    ['request-range-narrowed'],
  ],
  ['multiple', field(whole), field({ ...whole, multipleOf: 5 }), ['request-range-narrowed']],
  ['multiple of a multiple', field({ ...whole, multipleOf: 10 }), field({ ...whole, multipleOf: 5 }), []],
  ['length', field(text), field({ ...text, maxLength: 9 }), ['request-length-narrowed']],
  ['length of listed values', field({ enum: ['ab'] }), field({ ...text, maxLength: 2 }), []],
  [
    'items',
    field({ type: 'array', items: text }),
    field({ type: 'array', items: text, maxItems: 3, uniqueItems: true }),
    ['request-length-narrowed', 'request-length-narrowed'],
  ],
  [
    'schema of items',
    field({ type: 'array', items: { type: ['string', 'integer'] } }),
    field({ type: 'array', items: text }),
    ['request-type-narrowed'],
  ],
  [
    'front items',
    field({ type: 'array', prefixItems: [whole] }),
    field({ type: 'array', prefixItems: [text] }),
    ['request-type-narrowed'],
  ],
  ['pattern', field(text), field({ ...text, pattern: '^a' }), ['request-pattern-added']],
  ['other pattern', field({ ...text, pattern: '^a' }), field({ ...text, pattern: '^b' }), ['request-pattern-changed']],
  ['format', field(text), field({ ...text, format: 'uuid' }), ['request-format-narrowed']],
  ['wider format', field({ ...whole, format: 'int32' }), field({ ...whole, format: 'int64' }), []],
  [
    'narrower format',
    field({ ...whole, format: 'int64' }),
    field({ ...whole, format: 'int32' }),
    ['request-format-narrowed'],
  ],
  ['password is a hint', field(text), field({ ...text, format: 'password' }), []],
  ['encoding', field(text), field({ ...text, contentEncoding: 'base64' }), ['request-encoding-keyword-changed']],
  ['contains', field({ type: 'array' }), field({ type: 'array', contains: text }), ['request-constraint-added']],
  ['other not', field({ not: whole }), field({ not: text }), ['constraint-changed']],
]);

check('properties that are sent', [
  ['required now', field(text), field(text, ['a']), ['request-property-became-required']],
  ['new and required', sent(object({})), field(text, ['a']), ['request-property-required-added']],
  ['new and optional', sent(object({})), field(text), ['request-property-added']],
  ['gone', field(text), sent(object({})), ['request-property-removed']],
  [
    'gone and refused',
    sent(object({ a: text }, [], { additionalProperties: false })),
    sent(object({}, [], { additionalProperties: false })),
    ['request-property-refused'],
  ],
  [
    'others refused',
    field(text),
    sent(object({ a: text }, [], { additionalProperties: false })),
    ['request-additional-closed'],
  ],
  [
    'others follow a schema',
    field(text),
    sent(object({ a: text }, [], { additionalProperties: text })),
    ['request-additional-narrowed'],
  ],
  [
    'others follow a narrower schema',
    sent({ type: 'object', additionalProperties: { type: ['string', 'integer'] } }),
    sent({ type: 'object', additionalProperties: text }),
    ['request-type-narrowed'],
  ],
  [
    'listed instead of free',
    sent({ type: 'object', additionalProperties: whole }),
    sent(object({ a: text }, [], { additionalProperties: whole })),
    ['request-type-narrowed'],
  ],
  [
    'pattern',
    sent({ type: 'object' }),
    sent({ type: 'object', patternProperties: { '^x': text } }),
    ['constraint-changed'],
  ],
  [
    'read-only is not sent',
    sent(object({ a: { ...text, readOnly: true } })),
    sent(object({ a: { ...text, readOnly: true } }, ['a'])),
    [],
  ],
  ['read-only now', field(text), field({ ...text, readOnly: true }), ['request-property-became-read-only']],
]);

check('what comes back may become less, not more', [
  ['type', answer(text), answer({ type: ['string', 'integer'] }), ['response-type-widened']],
  ['null', answer(text), answer({ type: ['string', 'null'] }), ['response-became-nullable']],
  ['no null any more', answer({ type: ['string', 'null'] }), answer(text), []],
  ['enum value new', answer({ enum: ['x'] }), answer({ enum: ['x', 'y'] }), ['response-enum-value-added']],
  ['enum value gone', answer({ enum: ['x', 'y'] }), answer({ enum: ['x'] }), []],
  ['no enum', answer({ ...text, enum: ['x'] }), answer(text), ['response-enum-removed']],
  ['maximum', answer({ ...whole, maximum: 5 }), answer(whole), ['response-range-widened']],
  ['length', answer({ ...text, maxLength: 5 }), answer({ ...text, maxLength: 6 }), ['response-length-widened']],
  ['pattern', answer({ ...text, pattern: '^a' }), answer(text), ['response-pattern-changed']],
  ['format', answer({ ...text, format: 'uuid' }), answer(text), ['response-format-widened']],
  ['encoding', answer({ ...text, contentEncoding: 'base64' }), answer(text), ['response-encoding-keyword-changed']],
  ['if', answer({ if: whole }), answer({}), ['response-constraint-removed']],
  ['field gone', answer(text), got(object({})), ['response-property-removed']],
  ['optional field gone', answer(text, []), got(object({})), ['response-optional-property-removed']],
  ['field optional now', answer(text), answer(text, []), ['response-property-became-optional']],
  ['field promised now', answer(text, []), answer(text), []],
  ['field new', got(object({})), answer(text), ['response-property-added']],
  [
    'field new where all were listed',
    got(object({}, [], { additionalProperties: false })),
    got(object({ a: text }, [], { additionalProperties: false })),
    ['response-property-added-to-closed'],
  ],
  ['open now', got(object({}, [], { additionalProperties: false })), got(object({})), ['response-additional-widened']],
  ['write-only does not come back', answer({ ...text, writeOnly: true }), got(object({})), []],
]);

const status = (responses: JsonObject) => withOperation({ responses });
const plain = (type = 'text/plain', headers: JsonObject = {}) => ({
  description: '',
  headers,
  content: { [type]: { schema: text } },
});
const header = (required: boolean) => ({ 'X-Rate': { required, schema: text } });

check('statuses, headers and content types that come back', [
  ['status gone', status({ 200: plain(), 202: plain() }), status({ 202: plain() }), ['response-status-removed']],
  ['status new', status({ 200: plain() }), status({ 200: plain(), 202: plain() }), ['response-status-added']],
  ['error gone', status({ 200: plain(), 404: plain() }), status({ 200: plain() }), ['response-error-status-removed']],
  ['error new', status({ 200: plain() }), status({ 200: plain(), 404: plain() }), ['response-error-status-added']],
  ['error in default', status({ 404: plain() }), status({ default: plain() }), ['response-error-status-added']],
  [
    'error of default told apart',
    status({ default: plain() }),
    status({ default: plain(), 404: plain('text/html') }),
    ['response-content-type-added', 'response-content-type-removed'],
  ],
  [
    'content type gone',
    status({ 200: plain('text/csv') }),
    status({ 200: plain('text/html') }),
    ['response-content-type-added', 'response-content-type-removed'],
  ],
  [
    'header gone',
    status({ 200: plain('text/csv', header(true)) }),
    status({ 200: plain('text/csv') }),
    ['response-header-removed'],
  ],
  [
    'optional header gone',
    status({ 200: plain('text/csv', header(false)) }),
    status({ 200: plain('text/csv') }),
    ['response-optional-header-removed'],
  ],
  [
    'header optional now',
    status({ 200: plain('text/csv', header(true)) }),
    status({ 200: plain('text/csv', header(false)) }),
    ['response-header-became-optional'],
  ],
]);

const schemes = (login = 'https://login.example/') => ({
  key: { type: 'apiKey', in: 'header', name: 'X-Key' },
  sameKey: { type: 'apiKey', in: 'header', name: 'x-key' },
  login: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: login, scopes: { read: '', write: '' } } } },
});
const secured = (security: JsonObject[], login?: string) =>
  withOperation({ security }, { components: { securitySchemes: schemes(login) } });

check('who may call', [
  ['login needed', withOperation({}), secured([{ key: [] }]), ['security-stricter']],
  ['another login', secured([{ key: [] }]), secured([{ login: ['read'] }]), ['security-stricter']],
  ['both needed', secured([{ key: [] }]), secured([{ key: [], login: ['read'] }]), ['security-stricter']],
  ['one way less', secured([{ key: [] }, { login: ['read'] }]), secured([{ key: [] }]), ['security-stricter']],
  ['one scope more', secured([{ login: ['read'] }]), secured([{ login: ['read', 'write'] }]), ['security-stricter']],
  ['one way more', secured([{ key: [] }]), secured([{ key: [] }, {}]), ['security-looser']],
  ['another name for the same key', secured([{ key: [] }]), secured([{ sameKey: [] }]), []],
  [
    'other login address',
    secured([{ login: ['read'] }]),
    secured([{ login: ['read'] }], 'https://other.example/'),
    ['security-scheme-changed'],
  ],
]);

const cat = object({ kind: { const: 'cat' }, lives: whole }, ['kind']);
const dog = object({ kind: { const: 'dog' }, bark: text }, ['kind']);
const pets = { Cat: cat, Dog: dog, Bird: object({ kind: { const: 'bird' } }, ['kind']) };
const oneOf = (...names: string[]) => ({ oneOf: names.map((name) => ({ $ref: `#/components/schemas/${name}` })) });
const tagged = (names: string[], property = 'kind', mapping: JsonObject = {}) => ({
  ...oneOf(...names),
  discriminator: { propertyName: property, mapping },
});
const heirs = (mapping: JsonObject) => ({
  ...pets,
  Pet: { ...object({ kind: text }), discriminator: { propertyName: 'kind', mapping } },
});
const ref = { $ref: '#/components/schemas/Pet' };

check('alternatives', [
  ['one less is sent', sent(oneOf('Cat', 'Dog'), pets), sent(oneOf('Cat'), pets), ['request-alternative-removed']],
  [
    'one less of two',
    sent(oneOf('Cat', 'Dog', 'Bird'), pets),
    sent(oneOf('Cat', 'Dog'), pets),
    ['request-alternative-removed'],
  ],
  [
    'type less',
    sent({ anyOf: [text, whole] }),
    sent({ anyOf: [text, { type: 'null' }] }),
    ['request-alternative-removed'],
  ],
  ['one more is sent', sent(oneOf('Cat'), pets), sent(oneOf('Dog', 'Cat'), pets), []],
  [
    'one more may match too',
    sent({ oneOf: [object({ a: text }, ['a'])] }),
    sent({ oneOf: [object({ a: text }, ['a']), object({ b: text }, ['b'])] }),
    ['alternatives-overlap'],
  ],
  [
    'one more comes back',
    got(oneOf('Cat', 'Dog'), pets),
    got(oneOf('Cat', 'Dog', 'Bird'), pets),
    ['response-alternative-added'],
  ],
  ['one less comes back', got(oneOf('Cat', 'Dog', 'Bird'), pets), got(oneOf('Bird', 'Cat'), pets), []],
  [
    'null beside a reference',
    got({ ...ref }, heirs({})),
    got({ anyOf: [ref, { type: 'null' }] }, heirs({})),
    ['response-became-nullable'],
  ],
  ['wrapped', sent(cat), sent({ oneOf: [dog, cat] }), []],
  [
    'alternatives changed inside',
    got(oneOf('Cat', 'Dog'), pets),
    got(oneOf('Cat', 'Dog'), { ...pets, Cat: object({ kind: { const: 'cat' } }, ['kind']) }),
    ['response-optional-property-removed'],
  ],
  ['types each fit one', sent({ type: ['string', 'null'] }), sent({ anyOf: [{ type: 'null' }, text] }), []],
  ['values each fit one', sent({ enum: ['a', 'b'] }), sent({ oneOf: [{ const: 'a' }, { const: 'b' }] }), []],
  [
    'can’t be told',
    sent(object({ kind: { enum: ['cat', 'dog'] } }, ['kind'])),
    sent(oneOf('Cat', 'Dog'), pets),
    ['undecided'],
  ],
  [
    'another property tells',
    sent(tagged(['Cat', 'Dog']), pets),
    sent(tagged(['Cat', 'Dog'], 'sort'), pets),
    ['discriminator-changed'],
  ],
  [
    'heir not taken any more',
    sent(ref, heirs({ cat: '#/components/schemas/Cat', dog: '#/components/schemas/Dog' })),
    sent(ref, heirs({ cat: '#/components/schemas/Cat' })),
    ['request-discriminator-value-removed'],
  ],
  [
    'heir new',
    got(ref, heirs({})),
    got(ref, heirs({ dog: '#/components/schemas/Dog' })),
    ['response-discriminator-value-added'],
  ],
  [
    'heir changed',
    got(ref, heirs({ dog: '#/components/schemas/Dog' })),
    got(ref, { ...heirs({ dog: '#/components/schemas/Dog' }), Dog: object({ kind: { const: 'dog' } }, ['kind']) }),
    ['response-optional-property-removed'],
  ],
]);

const list = (more: JsonObject) => ({ Node: object({ next: { $ref: '#/components/schemas/Node' }, ...more }) });
const node = { $ref: '#/components/schemas/Node' };

check('the same said in another way is no change', [
  ['reference for its target', sent({ $ref: '#/components/schemas/Cat' }, pets), sent(cat), []],
  ['type as list', field(text), field({ type: ['string'] }), []],
  [
    'allOf for one object',
    sent(object({ a: text, b: whole })),
    sent({ allOf: [object({ a: text }), object({ b: whole })] }),
    [],
  ],
  [
    'allOf narrows',
    sent(object({ a: text })),
    sent({ allOf: [object({ a: text }), { required: ['a'] }] }),
    ['request-property-became-required'],
  ],
  ['schema in itself', sent(node, list({})), sent(node, { Node: object({ next: { allOf: [node] } }) }), []],
  ['unrolled once', sent(node, list({ a: text })), sent(object({ next: node, a: text }), list({ a: text })), []],
  ['changed in itself', sent(node, list({ a: text })), sent(node, list({ a: whole })), ['request-type-narrowed']],
  ['texts', withOperation({ summary: 'a' }), withOperation({ summary: 'b', description: 'c', tags: ['d'] }), []],
]);

test('every kind of finding was planted above, except that of the bound', (t) => {
  t.deepEqual(
    findingKinds.filter((kind) => !planted.has(kind)),
    ['incomplete'],
  );
});

test('what stops a rollout is a removed operation, a new required field, a narrowed type; doubt does not', (t) => {
  const worst = (live: JsonObject, next: JsonObject): Severity | undefined => compareDocuments(live, next)[0]?.severity;
  t.is(worst(path('/a', { get: done }), path('/b', { get: done })), 'breaking');
  t.is(worst(sent(object({})), field(text, ['a'])), 'breaking');
  t.is(worst(field({}), field(text)), 'breaking');
  t.is(worst(answer({ enum: ['x'] }), answer({ enum: ['x', 'y'] })), 'risky');
  t.is(worst(sent(object({})), field(text)), 'safe');
});

test('what changed in a shared schema is told once, with its places and all operations that meet it', (t) => {
  const shared = (schema: JsonObject): JsonObject => {
    const item = (parameters: JsonObject[] = []): JsonObject => ({
      get: {
        parameters,
        responses: {
          '200': {
            description: '',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
        },
      },
    });
    return {
      ...withOperation({}),
      paths: { '/a': item(), '/b': item(), '/c': { get: done } },
      components: { schemas: { Thing: schema } },
    };
  };
  const findings = compareDocuments(shared(object({ id: text }, ['id'])), shared(object({ id: whole }, ['id'])));
  t.like(findings, {
    length: 1,
    0: { kind: 'response-type-widened', severity: 'breaking', words: 'may be integer now, was string' },
  });
  t.deepEqual(findings[0]?.where, {
    operations: [
      { method: 'get', path: '/a' },
      { method: 'get', path: '/b' },
    ],
    live: '/components/schemas/Thing/properties/id',
    next: '/components/schemas/Thing/properties/id',
  });
  t.regex(findings[0]?.source ?? '', /oasdiff/);
});

test('over its bound the comparison says that it is not whole', (t) => {
  const bounds = { pairs: 3, trial: 5, trials: 5 };
  const wide = object(Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`p${index}`, object({ a: text })])));
  t.deepEqual(
    compareDocuments(sent(wide), sent(wide), { bounds }).map(({ kind }) => kind),
    ['incomplete'],
  );
});
