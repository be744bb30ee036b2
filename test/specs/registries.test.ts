/** `gateway.registries`: what it means, and what is said against what can't be meant. */
import test from 'ava';
import { complaints, parseText } from '../helpers/environment-text.ts';

const file = (...registries: string[]) =>
  [
    'environment: e',
    'gateway:',
    '  registries:',
    ...registries.map((one) => `    - ${one}`),
    'services:',
    '  dns: { command: [a], port: 1, versions: { 1.0.0: { count: 1, weight: 80 } } }',
    '',
  ].join('\n');

test('defaults are filled in by dialect; a declared service keeps its own route', (t) => {
  const text = file(
    '{ dialect: curator, path: /services, services: { pay: { at: payment, document: /api, version: 1.10 }, dns: { weight: 20 } } }',
    '{ dialect: nerve, path: /nerve/services, connect: "zk1:2181,[::1]:2182", grace: 500ms, services: { shop: { route: /a/shop } } }',
    '{ dialect: serverset, path: /, services: { pay: { endpoint: http } } }',
  );
  t.deepEqual(parseText(text).gateway.registries, [
    {
      dialect: 'curator',
      graceMs: 2000,
      services: [
        { service: 'pay', path: '/services/payment', version: '1.10', document: '/api', route: '/pay' },
        { service: 'dns', path: '/services/dns', version: 'curator', weight: 20 },
      ],
    },
    {
      dialect: 'nerve',
      connect: 'zk1:2181,[::1]:2182',
      graceMs: 500,
      services: [{ service: 'shop', path: '/nerve/services/shop/services', version: 'nerve', route: '/a/shop' }],
    },
    {
      dialect: 'serverset',
      graceMs: 2000,
      services: [{ service: 'pay', path: '/pay', version: 'serverset', endpoint: 'http', route: '/pay' }],
    },
  ]);
  t.is(parseText('environment: e\nservices: {}\n', { allowEmpty: true }).gateway.registries, undefined);
});

const curator = (services: string) => `{ dialect: curator, path: /s, services: ${services} }`;
const wrong: [title: string, registries: string[], expected: RegExp][] = [
  ['an unknown dialect', ['{ dialect: curater, path: /s, services: {} }'], /did you mean "curator"/],
  ['an unknown key', [curator('{ pay: { rout: /x } }')], /unknown key "rout", did you mean "route"/],
  ['a path that climbs', ['{ dialect: nerve, path: /a/../b, services: {} }'], /path must be an absolute path/],
  ['a relative path', ['{ dialect: nerve, path: a, services: {} }'], /path must be an absolute path/],
  ['an absolute place', [curator('{ pay: { at: /x } }')], /at must be a path below/],
  ['a chroot', ['{ dialect: nerve, path: /a, connect: "zk:2181/x", services: {} }'], /connect must be host:port/],
  ['a map for a list', ['x'], /must be a map/],
  ['a route that is taken', [curator('{ pay: { route: /dns } }')], /4:\d+ route \/dns is taken: service dns has it/],
  [
    'a route of the gateway’s',
    [curator('{ status: {} }')],
    /route \/status is taken: \/status is the gateway's own; give it/,
  ],
  ['a route for a declared service', [curator('{ dns: { route: /x, weight: 1 } }')], /route is the declared service's/],
  [
    'a second route',
    [curator('{ pay: { } }'), '{ dialect: nerve, path: /n, services: { pay: { route: /x } } }'],
    /5:\d+ route is said where service pay comes first/,
  ],
  ['a version twice', [curator('{ pay: {} }'), curator('{ pay: {} }')], /version curator of service pay is taken/],
  [
    'a declared version',
    [curator('{ dns: { version: 1.0.0, weight: 1 } }')],
    /version 1\.0\.0 of service dns is taken/,
  ],
  ['a missing weight', [curator('{ dns: {} }')], /weight is on some versions only/],
  [
    'an endpoint in another dialect',
    [curator('{ pay: { endpoint: http } }')],
    /endpoint is for serverset only, not for curator/,
  ],
];

test('what can’t be meant is refused, each at its place', (t) => {
  for (const [title, registries, expected] of wrong) {
    const said = complaints(file(...registries));
    t.is(said.length, 1, `${title}: ${said.join(' | ')}`);
    t.regex(said[0] ?? '', expected, title);
  }
});
