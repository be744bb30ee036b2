import test from 'ava';
import { parse } from 'yaml';
import { isObject, type Json, type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { normaliseDocument, validateDocument } from '../../../proxy-daemon/document/normalise.ts';
import { startExampleGateway } from '../../helpers/example-gateway.ts';
import { assertSameMeaning, resolveRef } from '../../helpers/openapi-meaning.ts';

/** Values for path parameters that the demo data has. */
const known: Record<string, string> = { zone: 'example.com', name: 'example.com' };

test('the example services are one valid document, by which alone every reading operation can be called', async (t) => {
  const { gateway, document } = await startExampleGateway(t);
  validateDocument(document);
  t.like(document, { info: { title: 'Hosting APIs', description: 'An example' }, 'x-mcp-left-out': [] });
  t.deepEqual(parse((await gateway.ask('/openapi.yaml')).body), document);

  const server = (document.servers as JsonObject[])[0]?.url;
  t.is(server, '/');
  let called = 0;
  for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
    const operation = objectAt(isObject(item) ? item : {}, 'get');
    if (operation.responses === undefined) continue;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => known[name] ?? 'unknown-one');
    const { status, body, headers } = await gateway.ask(filled);
    const answers = Object.keys(objectAt(operation, 'responses'));
    const only = operation['x-mcp-version-only'];
    t.true(
      answers.includes(`${status}`) || answers.includes('default') || only !== undefined,
      `GET ${filled}: ${status} ${body}`,
    );
    t.not(status, 502);
    // An answer of the gateway's own would mean that the document names a path that leads to no service.
    t.false(body.includes('NO_SUCH_ROUTE'), filled);
    t.truthy(headers['content-type']);
    called++;
  }
  t.true(called >= 12, `${called} operations`);
});

test('every operation of the example means what its own document says', async (t) => {
  const { document, instances } = await startExampleGateway(t);
  const paths: Record<string, string> = { domains: '/swagger.json' };
  for (const [key, url] of instances) {
    const [service = '', version = ''] = key.split('@');
    if (key === 'certificates@1.1.0') continue;
    const own = await (await fetch(url + (paths[service] ?? '/openapi.json'))).json();
    const original = await normaliseDocument(own as JsonObject);
    const base = service === 'domains' ? '/domains/v1' : `/${service}`;
    for (const [path, item] of Object.entries(objectAt(original, 'paths'))) {
      const merged = objectAt(objectAt(document, 'paths'), base + path);
      for (const [method, operation] of Object.entries(isObject(item) ? item : {})) {
        const other = merged[method];
        t.truthy(other, `${service} ${version}: ${method} ${path}`);
        assertSameMeaning(
          { document: original, original: (place) => place },
          { document, original: (place) => ({ ...place, path: place.path.slice(base.length) }) },
          withoutTexts(operation ?? null),
          withoutTexts(other ?? null),
          `${service} ${method} ${path}`,
        );
      }
    }
  }
  const renewal = objectAt(objectAt(objectAt(document, 'paths'), '/certificates/issued/{id}/renewal'), 'post');
  t.deepEqual(renewal['x-mcp-version-only'], ['1.1.0']);
  t.regex(String(renewal.operationId), /^Certificates\.1\.1\.0_/);
  const schemas = Object.keys(objectAt(objectAt(document, 'components'), 'schemas'));
  t.deepEqual(
    ['Domains_Error', 'Dns_Error', 'Certificates_Error'].filter((name) => !schemas.includes(name)),
    [],
  );
  t.truthy(resolveRef(document, '#/components/schemas/Dns_Error'));
});

/** Descriptions of operations gain notes on versions. */
function withoutTexts(operation: Json): Json {
  if (!isObject(operation)) return operation;
  const { description, ...rest } = operation;
  return rest;
}
