import test from 'ava';
import { isMcpError } from '../../specs/errors.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { problemsOf } from '../../specs/problems.ts';

function environmentOf(proxy: string): Uint8Array {
  return new TextEncoder().encode(`environment: test
services:
  dns:
    command: [x]
    port: 80
    proxy: ${proxy}
    versions:
      1.2.0: { count: 1, weight: 90 }
      1.10: { count: 1, weight: 10 }
`);
}

function problems(proxy: string): string[] {
  try {
    parseEnvironment(environmentOf(proxy), { file: 'e.yaml' });
    return [];
  } catch (error) {
    if (!isMcpError(error)) throw error;
    return problemsOf(error).map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

test('stickiness, a header for testers and splits are read as written', (t) => {
  const proxyOf = (proxy: string) => parseEnvironment(environmentOf(proxy), { file: 'e.yaml' }).services[0]?.proxy;
  t.deepEqual(proxyOf('{ sticky: cookie, override: true }'), { sticky: { by: 'cookie' }, override: 'X-MCP-Version' });
  t.deepEqual(proxyOf('{ sticky: client }'), { sticky: { by: 'client' } });
  t.deepEqual(
    proxyOf(
      "{ sticky: header X-Tenant, override: X-Try, split: [{ operation: 'GET /z/{id}', to: 1.10, weight: 10 }] }",
    ),
    {
      sticky: { by: 'header', name: 'X-Tenant' },
      override: 'X-Try',
      split: [{ method: 'GET', path: '/z/{id}', to: '1.10', weight: 10 }],
    },
  );
});

test('a mirror needs a declared version, and no door', (t) => {
  const mirror = '{ mirror: { to: 1.10, weight: 5 } }';
  t.deepEqual(problems(mirror), []);
  t.deepEqual(problems('{ mirror: { to: 1.11, weight: 5 } }'), [
    '6:28 no version "1.11" is declared, did you mean "1.10"?',
  ]);
  t.regex(problems(`${mirror}\n    limits: { body: 1MiB }`)[0] ?? '', /mirror does not go with limits/);
  t.regex(
    problems('{ protocol: grpc, mirror: { to: 1.10, weight: 5 } }')[0] ?? '',
    /mirror does not go with protocol: grpc/,
  );
});

test('what can not be is refused at its place, with what there is', (t) => {
  for (const sticky of ['cookies', 'header', 'header X Y', 'header Cookie', 'header "a"', 'header x;y', '5'])
    t.regex(
      problems(`{ sticky: ${JSON.stringify(sticky)} }`)[0] ?? '',
      /^6:22 sticky must be cookie, client, or header/,
      sticky,
    );
  for (const override of ['false', 'Host', '"X-MCP-Client"', '"a\\nb"', '"X-Y;"', '"$uri"'])
    t.regex(problems(`{ override: ${override} }`)[0] ?? '', /^6:\d+ override must be true/, override);
  const split = (operation: string, to = '1.10', weight = 10) =>
    `{ operation: ${JSON.stringify(operation)}, to: ${to}, weight: ${weight} }`;
  for (const operation of [
    'GET',
    '/zones',
    'GET zones',
    'FETCH /zones',
    'GET /a b',
    'GET /{',
    'GET /a?b',
    'GET /a,b',
    'get /a',
  ])
    t.regex(problems(`{ split: [${split(operation)}] }`)[0] ?? '', /must be a method and a path/, operation);
  t.deepEqual(problems(`{ split: [${split('GET /a', '1.11')}] }`), [
    '6:49 no version "1.11" is declared, did you mean "1.10"?',
  ]);
  t.deepEqual(problems(`{ split: [${split('GET /a', '1.10', 60)}, ${split('GET /a', '1.2.0', 60)}] }`), [
    '6:111 the weights of GET /a are 120 percent',
  ]);
  t.regex(problems(`{ split: [${split('GET /a')}, ${split('GET /a')}] }`)[0] ?? '', /split to 1\.10 already/);
});
