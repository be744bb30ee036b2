import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { complaints, parseText } from '../helpers/environment-text.ts';
import { readBack } from '../helpers/read-back.ts';

const withGateway = (...lines: string[]) =>
  [
    'environment: hosting',
    'gateway:',
    ...lines.map((line) => `  ${line}`),
    'services:',
    '  dns: { command: [node], port: 80, versions: { 1.0.0: { count: 1 } } }',
    '',
  ].join('\n');

test('the example of a front door declares every part of it', (t) => {
  const bytes = readFileSync(new URL('../../specs/examples/front-door.yaml', import.meta.url));
  const { gateway, services } = parseEnvironment(bytes, { file: 'front-door.yaml' });
  for (const part of ['tls', 'limits', 'securityHeaders', 'accessLog', 'metrics', 'trustedProxies'] as const)
    t.truthy(gateway[part], part);
  t.deepEqual(
    services.map(({ access }) => Object.keys(access ?? {})),
    [['apiKeys'], ['basicFile'], ['clientCertificate']],
  );
  t.truthy(services[0]?.limits && services[0].cors);
});

test('HTTPS is declared by port and files; what is left out has its default', (t) => {
  const { gateway } = parseText(withGateway('tls: { port: 8443, certificate: /etc/mcp/a.pem, key: /etc/mcp/a.key }'));
  t.deepEqual(gateway.tls, {
    port: 8443,
    certificate: '/etc/mcp/a.pem',
    key: '/etc/mcp/a.key',
    redirect: false,
  });
});

test('mistakes are told with their place and the nearest right word', (t) => {
  const files = 'certificate: /a.pem, key: /a.key';
  t.deepEqual(complaints(withGateway(`tls: { port: 8443, certifcate: /a.pem, key: /a.key }`)), [
    '3:22 unknown key "certifcate", did you mean "certificate"?',
  ]);
  t.deepEqual(complaints(withGateway(`tls: { port: "8443", ${files} }`)), [
    '3:16 port must be a whole number from 1 to 65535, not the text "8443"',
  ]);
  t.deepEqual(complaints(withGateway('tls: { port: 1, certificate: site.pem, key: /a.key }')), [
    '3:32 certificate must be an absolute path such as /etc/mcp/site.pem, not the text "site.pem"',
  ]);
  t.deepEqual(complaints(withGateway('tls: { port: 1, certificate: /a.pem, key: /a.pem }')), [
    '3:45 key is the file of the certificate: keep the private key in a file of its own, readable by the gateway alone',
  ]);
  t.deepEqual(complaints(withGateway(`tls: { port: 1, ${files}, redirect: yes }`)), [
    '3:63 redirect must be true or false, not the text "yes"',
  ]);
});

const withDoor = (door: string, ...gateway: string[]) =>
  withGateway('title: Hosting', ...gateway).replace('  dns: { ', `  dns: { ${door}, `);
const hash = `sha256:${'0'.repeat(64)}`;

test('the log of requests has bounds, and metrics a place of their own', (t) => {
  const { gateway } = parseText(withGateway('access-log: {}', 'metrics: { port: 9145 }'));
  t.like(gateway, { accessLog: { bytes: 16 * 1024 ** 2, keep: 4 }, metrics: { address: '127.0.0.1', port: 9145 } });
  t.deepEqual(complaints(withGateway('metrics: { adress: 127.0.0.1, port: 1 }')), [
    '3:14 unknown key "adress", did you mean "address"?',
  ]);
  t.regex(complaints(withGateway('metrics: { address: 1.2.3.256, port: 1 }'))[0] ?? '', /must be an IPv4 address/);
  t.regex(complaints(withGateway('access-log: { size: 1KiB }'))[0] ?? '', /size must be a size such as/);
  readBack(t, withGateway('title: Hosting', 'access-log: { size: 1MiB, keep: 0 }', 'metrics: { port: 9145 }'));
});

test('a service declares whom it lets through, how often, and which pages may call it', (t) => {
  const door = `access: { api-keys: { clients: { shop: ${hash} } } }, limits: { rate: 30/m, body: 1MiB }, cors: { origins: [https://app.example] }`;
  const [service] = parseText(withDoor(door)).services;
  t.like(service, {
    access: { apiKeys: { header: 'X-API-Key', clients: [{ name: 'shop', sha256: '0'.repeat(64) }] } },
    limits: { rate: { requests: 30, per: 'm', burst: 30 }, bodyBytes: 1024 ** 2 },
    cors: { headers: ['Content-Type', 'X-API-Key'], credentials: false, maxAgeMs: 600_000 },
  });
});

test('a door that would not hold is refused, with its place', (t) => {
  const said = (door: string, ...gateway: string[]) =>
    complaints(withDoor(door, ...gateway)).map((line) => line.replace(/^\d+:\d+ /, ''));
  t.deepEqual(said(`access: { api-key: { clients: { shop: ${hash} } } }`), [
    'unknown key "api-key", did you mean "api-keys"?',
  ]);
  t.regex(
    said('access: { api-keys: { clients: { shop: secret } } }')[0] ?? '',
    /^shop must be sha256: and 64 lower-case hex/,
  );
  t.regex(
    said(`access: { api-keys: { header: Cookie, clients: { shop: ${hash} } } }`)[0] ?? '',
    /that nothing else uses/,
  );
  t.regex(said('access: {}')[0] ?? '', /must have one of api-keys, basic and client-certificate/);
  t.regex(said('access: { client-certificate: required }')[0] ?? '', /needs gateway.tls with a client-ca/);
  t.regex(
    said(`access: { api-keys: { clients: { shop: ${hash} } } }`, 'mode: plain')[0] ?? '',
    /api-keys need dynamic mode/,
  );
  t.regex(said('limits: { rate: 10 }')[0] ?? '', /rate must be requests a second or a minute, such as 100\/s/);
  t.regex(said('limits: { burst: 10 }')[0] ?? '', /must have a rate/);
  t.regex(said('limits: { body: 17MiB }')[0] ?? '', /body must be at most the gateway's, 16 MiB/);
  t.deepEqual(said('limits: { body: 17MiB }', 'limits: { body: 20MiB }'), []);
  t.regex(said('cors: { origins: [https://app.example/] }')[0] ?? '', /must be an origin such as/);
  t.regex(said('cors: { origins: ["*"], credentials: true }')[0] ?? '', /must name its origins/);
});

test('operations declare what is asked of their callers alone, and what would do nothing is refused', (t) => {
  const of = (...items: string[]) => `operations: [${items.join(', ')}]`;
  const basic = 'access: { basic: /users }';
  const limits = 'limits: { rate: 5/m, body: 2KiB }';
  const [service] = parseText(
    withDoor(
      `${basic}, ${of(`{ operation: "POST /zones/{id}", ${limits} }`, '{ operation: GET /health, open: true }')}`,
    ),
  ).services;
  t.deepEqual(service?.operations, [
    { method: 'POST', path: '/zones/{id}', limits: { rate: { requests: 5, per: 'm', burst: 5 }, bodyBytes: 2048 } },
    { method: 'GET', path: '/health', open: true },
  ]);
  const said = (door: string, ...gateway: string[]) =>
    complaints(withDoor(door, ...gateway)).map((line) => line.replace(/^\d+:\d+ /, ''));
  for (const wrong of ['GET', 'GET zones', 'get /zones', 'GET /a b', 'GET /{a}{b}', 'GET /**/a', 'LOCK /a'])
    t.regex(
      said(of(`{ operation: "${wrong}", ${limits} }`))[0] ?? '',
      /operation must be a method and a path such as/,
      wrong,
    );
  t.regex(said(of('{ operation: GET /a }'))[0] ?? '', /must have one of access, open and limits/);
  t.regex(said(of('{ operation: GET /a, limits: {} }'))[0] ?? '', /must have one of access, open and limits/);
  t.regex(said('operations: []')[0] ?? '', /must not be empty/);
  t.regex(said(of('{ operation: GET /a, open: true }'))[0] ?? '', /open does nothing: the service has no access/);
  t.regex(said(of(`{ operation: GET /a, open: true, ${basic} }`))[0] ?? '', /must have one of access and open/);
  const twice = of(`{ operation: "GET /a/{x}", ${limits} }`, `{ operation: "GET /a/{y}", ${limits} }`);
  t.regex(said(twice)[0] ?? '', /GET \/a\/\{y\} has a door of its own already/);
  t.regex(said(of('{ operation: GET /a, limits: { body: 17MiB } }'))[0] ?? '', /body must be at most the gateway's/);
  const certificate = of('{ operation: GET /a, access: { client-certificate: required } }');
  t.regex(said(certificate)[0] ?? '', /needs gateway.tls with a client-ca/);
  const keys = of(`{ operation: GET /a, access: { api-keys: { clients: { shop: ${hash} } } } }`);
  t.regex(said(keys, 'mode: plain')[0] ?? '', /api-keys need dynamic mode/);
});

test('what is written back declares the same again', (t) => {
  const all = `access: { api-keys: { header: X-Key, clients: { shop: ${hash} } }, client-certificate: optional }, limits: { rate: 5/s, burst: 0, body: 2KiB }, cors: { origins: ["*"], methods: [GET], headers: [], expose: [], max-age: 0s }`;
  const ca = 'tls: { port: 8443, certificate: /a.pem, key: /a.key, client-ca: /ca.pem }';
  readBack(
    t,
    withDoor(
      all,
      ca,
      'limits: { body: 1GiB }',
      'security-headers: false',
      'trusted-proxies: [10.0.0.0/8, "2001:db8::/32"]',
    ),
  );
  readBack(t, withDoor('access: { basic: /etc/users }'));
  const operations =
    'operations: [{ operation: ANY /a/**, open: true }, { operation: "GET /{id}", limits: { rate: 5/s } }, { operation: GET /b, access: { basic: /b } }]';
  readBack(t, withDoor(`access: { basic: /etc/users }, ${operations}`));
  const tls = 'tls: { port: 8443, certificate: /a b/$x;".pem, key: /a.key, client-ca: /ca.pem, redirect: true }';
  readBack(t, withGateway('title: Hosting', 'largest-document: 3MiB', tls));
});

test('trusted proxies are networks, and never all of the internet', (t) => {
  const { gateway } = parseText(withGateway('trusted-proxies: [10.0.0.0/8, 192.0.2.7]'));
  t.deepEqual(gateway.trustedProxies, ['10.0.0.0/8', '192.0.2.7']);
  const wrong = [
    '10.0.0.0/33',
    '0.0.0.0/0',
    'proxy.example',
    '10.0.0',
    '10.0.0.0/8; include x',
    '"fe80::1%eth0"',
    '10.0.0.0/08',
  ];
  for (const one of wrong) {
    const [complaint = ''] = complaints(withGateway(`trusted-proxies: ['${one}']`));
    t.regex(complaint, /^3:21 .* must be a network such as 10\.0\.0\.0\/8 or an address/, one);
  }
  t.regex(complaints(withGateway('trusted-proxies: []'))[0] ?? '', /must not be empty/);
});
