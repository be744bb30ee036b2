import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { isMcpError } from '../../specs/errors.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { complaints, parseText, withService, withVersion } from '../helpers/environment-text.ts';

const example = readFileSync(new URL('../../specs/examples/hosting.yaml', import.meta.url));

test('what a file leaves out is filled in', (t) => {
  const declared = parseText(withVersion('{ count: 3, command: [node, server.js], port: 8080 }'));
  t.deepEqual(declared, {
    images: [],
    name: 'hosting',
    pool: { size: 1, image: 'process' },
    gateway: { title: 'hosting', description: '' },
    services: [
      {
        name: 'dns',
        route: '/dns',
        config: {},
        onConfigChange: 'restart',
        drainTimeoutMs: 30_000,
        stopTimeoutMs: 5000,
        versions: [
          {
            version: '1.0.0',
            count: 3,
            command: ['node', 'server.js'],
            port: 8080,
            env: {},
            health: { kind: 'tcp', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 3 },
          },
        ],
      },
    ],
  });
});

test('the example declares its three services as the tour expects them', (t) => {
  const declared = parseEnvironment(example, { file: 'hosting.yaml' });
  t.is(declared.pool.size, 2);
  const counts = declared.services.flatMap(({ name, versions }) =>
    versions.map(({ version, count, weight, artifact }) => [
      `${name}@${version}`,
      count,
      weight,
      artifact?.kind === 'directory' && artifact.path,
    ]),
  );
  t.deepEqual(counts, [
    ['domains@1.0.0', 2, undefined, 'services/domains'],
    ['dns@1.2.0', 2, undefined, 'services/dns'],
    ['certificates@1.0.0', 1, 90, 'services/certificates-1.0.0'],
    ['certificates@1.1.0', 1, 10, 'services/certificates-1.1.0'],
  ]);
});

test('a version takes command, port, health and variables from its service where it has none of its own', (t) => {
  const text = withService('env: { LEVEL: info, ZONE: a }', 'health: none').replace(
    'count: 1,',
    'count: 1, env: { ZONE: b, EMPTY: "" }, health: { http: /healthz, interval: 1.5s, rise: 2 },',
  );
  const [own] = parseText(text).services[0]?.versions ?? [];
  t.deepEqual(own?.env, { LEVEL: 'info', ZONE: 'b', EMPTY: '' });
  t.deepEqual(own?.health, { kind: 'http', path: '/healthz', intervalMs: 1500, timeoutMs: 500, rise: 2, fall: 3 });
  const inherited = withService('command: [./run]', 'port: 81', 'health: { command: [./check] }').replace(
    ', command: [node, server.js], port: 8080',
    '',
  );
  const [version] = parseText(inherited).services[0]?.versions ?? [];
  t.deepEqual([version?.command, version?.port, version?.health.kind], [['./run'], 81, 'command']);
});

test('names, commands and variables are taken as written, numbers elsewhere are numbers', (t) => {
  const text = withVersion(
    '{ count: 0x10, command: [serve, 8080, 1.10, true], port: 80, env: { A: 1.10, B: on, C: 0o7 } }',
  )
    .replace('1.0.0:', '1.10:')
    .replace('  dns:\n', '  dns:\n    config: { ttl: 300, ratio: 0.5, fast: true, name: yes, list: "1" }\n');
  const [service] = parseText(text).services;
  const [version] = service?.versions ?? [];
  t.is(version?.version, '1.10');
  t.is(version?.count, 16);
  t.deepEqual(version?.command, ['serve', '8080', '1.10', 'true']);
  t.deepEqual(version?.env, { A: '1.10', B: 'on', C: '0o7' });
  t.deepEqual(service?.config, { ttl: 300, ratio: 0.5, fast: true, name: 'yes', list: '1' });
});

test('services and versions may be named like the keys around them', (t) => {
  const version = '{ count: 2, port: 80, command: [x], weight: 3 }';
  const text = `environment: env\nservices:\n  command: { versions: { env: ${version} } }\n  env: { versions: { command: ${version} } }\n`;
  t.deepEqual(
    parseText(text).services.map(({ versions }) => versions[0]?.count),
    [2, 2],
  );
});

test('a change of configuration restarts, signals, or does nothing', (t) => {
  const of = (choice: string) => {
    const [service] = parseText(withService(`on-config-change: ${choice}`)).services;
    return [service?.onConfigChange, service?.configSignal];
  };
  t.deepEqual(of('restart'), ['restart', undefined]);
  t.deepEqual(of('none'), ['none', undefined]);
  t.deepEqual(of('SIGUSR1'), ['signal', 'SIGUSR1']);
});

test("the gateway's bound on documents is a size", (t) => {
  const text = withVersion('{ count: 1, command: [node], port: 8080 }');
  const declared = parseText(`${text}\ngateway: { largest-document: 16MiB }\n`);
  t.deepEqual(declared.gateway, { title: 'hosting', description: '', largestDocumentBytes: 16 * 1024 * 1024 });
});

test('routes may nest: the longest prefix wins at the gateway', (t) => {
  const body = 'versions: { 1.0.0: { count: 1, command: [x], port: 80 } }';
  const text = `environment: e\nservices:\n  a: { route: /a, ${body} }\n  b: { route: /a/b, ${body} }\n  c: { route: /docs2, ${body} }\n`;
  t.deepEqual(
    parseText(text).services.map(({ route }) => route),
    ['/a', '/a/b', '/docs2'],
  );
});

test('a byte order mark, Windows line ends and words from all the world are no problem', (t) => {
  const text = withService('config: { motto: "åäö 漢字 🙂" }').replaceAll('\n', '\r\n');
  t.is(parseText(`\uFEFF${text}`).services[0]?.config.motto, 'åäö 漢字 🙂');
});

test('parsing is a function of the bytes: twice the same, and the result is plain JSON', (t) => {
  const first = parseEnvironment(example, { file: 'hosting.yaml' });
  t.deepEqual(parseEnvironment(example, { file: 'hosting.yaml' }), first);
  t.deepEqual(JSON.parse(JSON.stringify(first)), first);
});

/** Either an environment or SPEC_INVALID with places inside the file. */
function isAnswered(bytes: Uint8Array): boolean {
  try {
    return parseEnvironment(bytes, { file: 'f' }).name.length > 0;
  } catch (error) {
    if (!isMcpError(error, 'SPEC_INVALID')) throw error;
    const problems = error.details.problems as {
      line: number;
      column: number;
      caret: number;
      width: number;
      source: string;
    }[];
    return (
      problems.length > 0 && problems.every((at) => at.line >= 1 && at.column >= 1 && at.caret <= at.source.length)
    );
  }
}

test('whatever the bytes are, the answer is an environment or SPEC_INVALID', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isAnswered), { numRuns: 300 });
  const scraps = [
    'services:',
    'dns',
    ' ',
    '\n',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ': ',
    '&a',
    '*a',
    '!t',
    '"',
    "'",
    '<<',
    '|',
    '?',
    '#',
    '1',
    'count',
    '\t',
    '---',
    '%',
  ];
  const soup = fc
    .array(fc.constantFrom(...scraps), { maxLength: 40 })
    .map((parts) => new TextEncoder().encode(parts.join('')));
  fc.assert(fc.property(soup, isAnswered), { numRuns: 500 });
  t.pass();
});

test('the example with a piece cut out, doubled, or its end lost is answered too', (t) => {
  const place = fc.nat({ max: example.length });
  const damaged = fc.tuple(place, place, fc.nat({ max: 2 })).map(([a, b, times]) => {
    const [from, to] = a < b ? [a, b] : [b, a];
    const piece = example.subarray(from, to);
    return Buffer.concat([example.subarray(0, from), ...Array<Buffer>(times).fill(piece), example.subarray(to)]);
  });
  fc.assert(fc.property(damaged, isAnswered), { numRuns: 200 });
  for (let end = 0; end < example.length; end += 37) t.true(isAnswered(example.subarray(0, end)));
});

test('the pool may follow demand, age and verify, and services may have priorities', (t) => {
  const text = [
    'environment: x',
    'pool:',
    '  size: { min: 1, max: 5, window: 30m }',
    '  max-age: 24h',
    '  verify: { disk-free: 64MiB, memory: 32MiB, clock: 2s, artifact-stores: 0 }',
    'services:',
    '  a: { priority: 7, versions: { 1.0.0: { count: 1, command: [a], port: 1 } } }',
  ].join('\n');
  const { pool, services } = parseText(text);
  t.deepEqual(pool, {
    size: 1,
    image: 'process',
    demand: { max: 5, windowMs: 1_800_000 },
    maxAgeMs: 86_400_000,
    verify: { diskFreeBytes: 64 * 1024 ** 2, memoryBytes: 32 * 1024 ** 2, clockMs: 2000, artifactStores: 0 },
  });
  t.is(services[0]?.priority, 7);
  const wrong = text.replace('min: 1', 'min: 9').replace('64MiB', '64').replace('priority: 7', 'priority: high');
  t.deepEqual(complaints(wrong), [
    '3:16 min must be at most max, not 9',
    '5:24 disk-free must be a size such as 512KiB, 256MiB or 1GiB, from 0 B to 1024 GiB, not 64',
    '7:18 priority must be a whole number from 0 to 1000, not the text "high"',
  ]);
});

test('a warm service keeps one machine ready of each version, or as many as are declared', (t) => {
  const text = (warm: string) =>
    `environment: e\nservices:\n  a: { warm: ${warm}, versions: { 1.0.0: { count: 1, command: [a], port: 1 } } }\n`;
  const declared = (warm: string) => parseText(text(warm)).services[0]?.warm;
  t.deepEqual(declared('true'), { ready: 1 });
  t.is(declared('false'), undefined);
  t.deepEqual(declared('{ ready: 3, signal: SIGUSR2 }'), { ready: 3, signal: 'SIGUSR2' });
  t.deepEqual(complaints(text('yes please')), [
    '3:14 warm must be true, false, or a map with ready and signal, not the text "yes please"',
  ]);
  t.true(complaints(text('{ raedy: 3 }'))[0]?.includes('ready'));
});
