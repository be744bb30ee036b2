import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { digestOf, environmentDigest } from '../../specs/digest.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { artifactKey, localArtifacts, resolveEnvironment } from '../../specs/resolve-environment.ts';
import { parseText, withService } from '../helpers/environment-text.ts';

const sha = (letter: string) => letter.repeat(64);

test('the example resolves once its directories are packed', (t) => {
  const example = readFileSync(new URL('../../specs/examples/hosting.yaml', import.meta.url));
  const declared = parseEnvironment(example, { file: 'hosting.yaml' });
  const local = localArtifacts(declared);
  t.deepEqual(
    [...local.keys()],
    [
      'directory:services/domains',
      'directory:services/dns',
      'directory:services/certificates-1.0.0',
      'directory:services/certificates-1.1.0',
    ],
  );
  const packed = new Map(
    [...local.keys()].map((key) => [key, { url: `file:///tars/${digestOf(key)}.tar.gz`, sha256: digestOf(key) }]),
  );
  const environment = resolveEnvironment(declared, packed);
  const dns = environment.services.find(({ name }) => name === 'dns');
  t.is(dns?.versions[0]?.artifact?.sha256, digestOf('directory:services/dns'));
  t.regex(dns?.versions[0]?.digest ?? '', /^[0-9a-f]{64}$/);
  t.deepEqual(JSON.parse(JSON.stringify(environment)), environment);
  t.is(environmentDigest(environment), environmentDigest(structuredClone(environment)));
});

test('an artifact nobody resolved is an error with the place that declares it', (t) => {
  const declared = parseText(withService('').replace('count: 1', 'count: 1, artifact: { directory: dns }'));
  t.throws(() => resolveEnvironment(declared, new Map()), {
    code: 'SPEC_ARTIFACT_UNRESOLVED',
    message: /^env\.yaml:6:36 artifact dns /,
  });
});

test('a file that is not what its sha256 says is refused, a URL resolves by itself', (t) => {
  const text = (form: string) =>
    withService('').replace('count: 1', `count: 1, artifact: { ${form}, sha256: ${sha('a')} }`);
  const file = parseText(text('file: dns.tar'));
  const [key = ''] = localArtifacts(file).keys();
  const found = (sha256: string) => new Map([[key, { url: 'file:///dns.tar', sha256 }]]);
  t.throws(() => resolveEnvironment(file, found(sha('b'))), { code: 'SPEC_ARTIFACT_UNRESOLVED' });
  t.is(resolveEnvironment(file, found(sha('a'))).services[0]?.versions[0]?.artifact?.url, 'file:///dns.tar');
  const url = parseText(text('url: "http://127.0.0.1/dns.tar"'));
  t.is(localArtifacts(url).size, 0);
  const expected = { url: 'http://127.0.0.1/dns.tar', sha256: sha('a') };
  t.deepEqual(resolveEnvironment(url, new Map()).services[0]?.versions[0]?.artifact, expected);
});

test('artifacts of different forms have different keys', (t) => {
  const { at } =
    localArtifacts(parseText(withService('').replace('count: 1', 'count: 1, artifact: { directory: x }'))).get(
      'directory:x',
    ) ?? {};
  if (at === undefined) return t.fail();
  const keys = [
    artifactKey({ kind: 'directory', path: 'x', at }),
    artifactKey({ kind: 'file', path: 'x', sha256: sha('a'), at }),
    artifactKey({ kind: 'url', url: 'x', sha256: sha('a'), at }),
  ];
  t.is(new Set(keys).size, 3);
});

test("a version's digest changes with what an instance runs, not with how many there are", (t) => {
  const digest = (edit: (text: string) => string) =>
    resolveEnvironment(parseText(edit(withService('route: /dns', 'stop-timeout: 5s'))), new Map()).services[0]
      ?.versions[0]?.digest;
  const before = digest((text) => text);
  for (const [from, to] of [
    ['count: 1', 'count: 9'],
    ['count: 1', 'count: 1, weight: 5'],
    ['route: /dns', 'route: /names'],
    ['route: /dns', 'config: { ttl: 1 }'],
    ['count: 1, command', 'count: 1, env: {}, command'],
  ] as const) {
    t.is(
      digest((text) => text.replace(from, to)),
      before,
      to,
    );
  }
  for (const [from, to] of [
    ['server.js', 'other.js'],
    ['8080', '8081'],
    ['count: 1', 'count: 1, env: { A: b }'],
    ['count: 1', 'count: 1, health: { http: /healthz }'],
    ['count: 1', `count: 1, artifact: { url: "http://h/x", sha256: ${sha('a')} }`],
    ['stop-timeout: 5s', 'stop-timeout: 6s'],
    ['stop-timeout: 5s', 'drain-timeout: 6s'],
    ['1.0.0', '1.0.1'],
  ] as const) {
    t.not(
      digest((text) => text.replace(from, to)),
      before,
      to,
    );
  }
});

test('an environment that the registry could not hold is refused', (t) => {
  const long = 'x'.repeat(4000);
  const entries = (from: number) => Array.from({ length: 110 }, (_, n) => `k${from + n}: ${long}`).join(', ');
  const service = (n: number) =>
    `  s${n}: { config: { ${entries(n)} }, versions: { 1: { count: 1, command: [x], port: 1 } } }`;
  const text = `environment: e\nservices:\n${service(1)}\n${service(2)}\n`;
  t.notThrows(() => resolveEnvironment(parseText(text), new Map()));
  const doubled = parseText(text);
  doubled.services.push(...parseText(text).services);
  t.throws(() => resolveEnvironment(doubled, new Map()), { code: 'SPEC_TOO_LARGE' });
});

test('canonical JSON is one text for equal values, whatever the order of their keys', (t) => {
  t.is(canonicalJson({ b: [2, { d: 1, c: undefined }], a: 'x' }), '{"a":"x","b":[2,{"d":1}]}');
  const shuffled = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(shuffled);
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, shuffled(member)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      return text === canonicalJson(shuffled(value)) && canonicalJson(JSON.parse(text)) === text;
    }),
  );
});
