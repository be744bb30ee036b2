/** Domain names of a small registrar. Its document is Swagger 2.0, with a base path. */
import { readFileSync } from 'node:fs';
import { configured, keptData, member, Refusal, requireKey, serve } from './small-server.js';

const namePattern = /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/;
const text = /^.{1,200}$/s;

const registrar = configured('registrar', 'Example Registrar');
const defaultYears = configured('default-years', 1);

const store = keptData({
  names: {
    'example.com': {
      name: 'example.com',
      registrar: 'Example Registrar',
      registeredAt: '2024-01-01T00:00:00.000Z',
      years: 3,
      contact: { kind: 'Company', email: 'hostmaster@example.com', company: 'Example Inc.' },
    },
    'example.org': {
      name: 'example.org',
      registrar: 'Example Registrar',
      registeredAt: '2024-06-01T00:00:00.000Z',
      years: 2,
      contact: { kind: 'Person', email: 'ada@example.org', person: 'Ada Example' },
    },
  },
  history: {
    'example.com': [{ at: '2024-01-01T00:00:00.000Z', what: 'registered' }],
    'example.org': [{ at: '2024-06-01T00:00:00.000Z', what: 'registered' }],
  },
});
const { names, history } = store.data;

function find(name) {
  if (!Object.hasOwn(names, name)) throw new Refusal(404, `${name} is not registered here`);
  return names[name];
}

function note(name, what) {
  history[name] = [...(history[name] ?? []), { at: new Date().toISOString(), what }];
  store.changed();
}

function contactIn(body) {
  const kind = member(body, 'kind', { pattern: /^(Person|Company)$/ });
  const email = member(body, 'email', { pattern: /^[^@\s]+@[^@\s]+$/ });
  const named = kind === 'Person' ? 'person' : 'company';
  return { kind, email, [named]: member(body, named, { pattern: text }) };
}

serve({
  service: 'domains',
  version: '1.0.0',
  document: JSON.parse(readFileSync(new URL('swagger.json', import.meta.url), 'utf8')),
  documentPath: '/swagger.json',
  store,
  errorBody: (code, message) => ({ code, message }),
  routes: [
    [
      'GET',
      '/v1/names',
      ({ query }) => {
        const items = Object.values(names).filter(({ name }) => name.endsWith(query.get('suffix') ?? ''));
        return [200, { total: items.length, items: items.slice(0, 100) }];
      },
    ],
    [
      'POST',
      '/v1/names',
      ({ body }) => {
        const name = member(body, 'name', { pattern: namePattern });
        if (Object.hasOwn(names, name)) throw new Refusal(409, `${name} is registered already`);
        names[name] = {
          name,
          registrar,
          registeredAt: new Date().toISOString(),
          years: member(body, 'years', { least: 1, most: 10, fallback: defaultYears }),
          contact: contactIn(body.contact ?? {}),
        };
        note(name, 'registered');
        return [201, names[name]];
      },
    ],
    ['GET', '/v1/names/{name}', ({ params }) => [200, find(params.name)]],
    [
      'DELETE',
      '/v1/names/{name}',
      ({ params, headers }) => {
        requireKey({ headers }, 'x-api-key');
        find(params.name);
        delete names[params.name];
        note(params.name, 'given up');
        return [204];
      },
    ],
    [
      'PUT',
      '/v1/names/{name}/contact',
      ({ params, body }) => {
        const contact = contactIn(body);
        find(params.name).contact = contact;
        note(params.name, 'contact changed');
        return [200, contact];
      },
    ],
    [
      'GET',
      '/v1/names/{name}/history',
      ({ params }) => {
        if (!Object.hasOwn(history, params.name)) throw new Refusal(404, `${params.name} was never registered here`);
        return [200, history[params.name]];
      },
    ],
    [
      'POST',
      '/v1/availability',
      ({ body }) => {
        const name = member(body, 'name', { pattern: namePattern });
        return [200, { name, available: !Object.hasOwn(names, name) }];
      },
    ],
    ['GET', '/v1/status', () => [200, { registrar, defaultYears, names: Object.keys(names).length }]],
  ],
});
