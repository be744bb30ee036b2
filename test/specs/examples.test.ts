/** The example's files: what they promise to the tour and to the document merge. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parseEnvironment } from '../../specs/parse-environment.ts';

const examples = new URL('../../specs/examples/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, examples), 'utf8');

function parse(file: string) {
  const { services, ...rest } = parseEnvironment(readFileSync(new URL(file, examples)), { file });
  const withoutPlaces = JSON.parse(JSON.stringify(services, (key, value) => (key === 'at' ? undefined : value)));
  return { rest, services: withoutPlaces as typeof services };
}

test('hosting-with-mailboxes.yaml is hosting.yaml with one service more', (t) => {
  const plain = parse('hosting.yaml');
  const more = parse('hosting-with-mailboxes.yaml');
  t.deepEqual(more.rest, plain.rest);
  t.deepEqual(more.services.slice(0, -1), plain.services);
  t.is(more.services.at(-1)?.name, 'mailboxes');
  t.true(read('hosting-with-mailboxes.yaml').startsWith(read('hosting.yaml')));
});

test('every artifact of the examples is there, with the command and the document it names', (t) => {
  for (const { document = '', versions } of parse('hosting-with-mailboxes.yaml').services) {
    for (const { artifact, command } of versions) {
      const directory = artifact?.kind === 'directory' ? artifact.path : '';
      t.true(readdirSync(new URL(`${directory}/`, examples)).includes(command[1] ?? ''));
      t.truthy(JSON.parse(read(`${directory}${document}`)).info);
    }
  }
});

test('the copies of the shared HTTP part are equal', (t) => {
  const copies = readdirSync(new URL('services/', examples)).map((service) =>
    read(`services/${service}/small-server.js`),
  );
  t.is(copies.length, 5);
  t.is(new Set(copies).size, 1);
});

test("the services' documents clash on purpose: schemas, tags, operations and security schemes of one name differ", (t) => {
  const domains = JSON.parse(read('services/domains/swagger.json'));
  const dns = JSON.parse(read('services/dns/openapi.json'));
  const certificates = JSON.parse(read('services/certificates-1.0.0/openapi.json'));
  t.deepEqual([domains.swagger, dns.openapi, certificates.openapi], ['2.0', '3.0.3', '3.1.0']);
  const differ = (values: unknown[]) => t.is(new Set(values.map((value) => JSON.stringify(value))).size, 3);
  for (const schema of ['Error', 'Status', 'Record']) {
    differ([domains.definitions[schema], dns.components.schemas[schema], certificates.components.schemas[schema]]);
  }
  differ([
    domains.securityDefinitions.apiKey,
    dns.components.securitySchemes.apiKey,
    certificates.components.securitySchemes.apiKey,
  ]);
  const lists = [domains.paths['/names'], dns.paths['/zones'], certificates.paths['/issued']];
  t.deepEqual(
    lists.map(({ get }) => get.operationId),
    ['list', 'list', 'list'],
  );
  const healthTag = (document: { tags: { name: string }[] }) => document.tags.find(({ name }) => name === 'health');
  differ([healthTag(domains), healthTag(dns), healthTag(certificates)]);
});
