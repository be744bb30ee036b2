import test from 'ava';
import fc from 'fast-check';
import { addressKind, canonicalAddress } from '../../../registrar/dialects/address.ts';
import { ledgerProblem, parseRegistration } from '../../../registrar/dialects/native.ts';
import type { RegistrationRecord } from '../../../registrar/records.ts';
import type { Stat } from '../../../registrar/registry-client.ts';
import { nodeStat } from '../../helpers/stat.ts';

const path = '/services/dns/1.2.0/m-1';
const good: RegistrationRecord = {
  schema: 1,
  service: 'dns',
  version: '1.2.0',
  machine: 'm-1',
  address: '10.0.0.3',
  port: 8080,
  state: 'up',
  document: '/openapi.json',
  digest: 'a'.repeat(64),
  at: 1_700_000_000_000,
};

function parse(content: unknown, at = path, options = { allowLoopback: false }, over: Partial<Stat> = {}) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return parseRegistration(at, Buffer.from(text), nodeStat(over), options);
}

test('a good registration is read as it was written', (t) => {
  t.deepEqual(parse(good), { ok: true, record: good });
  t.true(parse({ ...good, document: '/.well-known/a..b.json' }).ok);
  t.deepEqual(parse({ ...good, address: 'FD00::3', extra: 'x\n;' }), {
    ok: true,
    record: { ...good, address: 'fd00::3' },
  });
});

const refused: [string, unknown, RegExp][] = [
  ['an empty node', '', /empty/],
  ['something that is not JSON', '{"schema":1', /not JSON/],
  ['a JSON list', '[1]', /not a JSON object/],
  ['null', 'null', /not a JSON object/],
  ['more than 4 KB', { ...good, padding: 'x'.repeat(5000) }, /4096 bytes/],
  ['a newline in a value', { ...good, document: '/a\nb' }, /document/],
  ['a semicolon in a value', { ...good, document: '/a;b' }, /document/],
  ['a brace in a value', { ...good, address: '10.0.0.3{' }, /not an IP address/],
  ['a dollar in a value', { ...good, document: '/$host' }, /document/],
  ['a document that climbs', { ...good, document: '/../secret' }, /document/],
  ['a document that climbs at its end', { ...good, document: '/a/..' }, /document/],
  ['a document on another host', { ...good, document: '//evil/openapi.json' }, /document/],
  ['a host name as address', { ...good, address: 'dns.internal' }, /not an IP address/],
  ['no address', { ...good, address: undefined }, /not an IP address/],
  ['a loopback address', { ...good, address: '127.0.0.1' }, /loopback/],
  ['an IPv6 loopback address', { ...good, address: '::1' }, /loopback/],
  ['a mapped loopback address', { ...good, address: '::ffff:127.0.0.1' }, /loopback/],
  ['a link-local address', { ...good, address: '169.254.169.254' }, /link-local/],
  ['a mapped link-local address', { ...good, address: '::ffff:a9fe:a9fe' }, /link-local/],
  ['the unspecified address', { ...good, address: '0.0.0.0' }, /none that a machine/],
  ['a multicast address', { ...good, address: '224.0.0.1' }, /none that a machine/],
  ['port 0', { ...good, port: 0 }, /port/],
  ['port 70000', { ...good, port: 70_000 }, /port/],
  ['a port as text', { ...good, port: '8080' }, /port/],
  ['a broken port', { ...good, port: 80.5 }, /port/],
  ['an unknown schema', { ...good, schema: 2 }, /schema/],
  ['an unknown state', { ...good, state: 'sleeping' }, /state/],
  ['a time before time', { ...good, at: -1 }, /at is/],
  ['a digest that is none', { ...good, digest: 'abc' }, /digest/],
  ['another service than the path', { ...good, service: 'domains' }, /service is not the one/],
  ['another version than the path', { ...good, version: '1.3.0' }, /version is not the one/],
  ['another machine than the path', { ...good, machine: 'm-2' }, /machine is not the one/],
  ['a __proto__ key', `{"__proto__":{"schema":1},${JSON.stringify(good).slice(1)}`, /__proto__/],
  ['a constructor key', { ...good, constructor: 1 }, /constructor/],
];

for (const [what, content, reason] of refused) {
  test(`${what} is left out with its reason`, (t) => {
    const result = parse(content);
    t.false(result.ok);
    if (!result.ok) {
      t.is(result.path, path);
      t.regex(result.reason, reason);
    }
  });
}

test('a persistent node is left out', (t) => {
  const result = parse(good, path, { allowLoopback: false }, { ephemeralOwner: null });
  t.regex(result.ok ? '' : result.reason, /persistent/);
});

test('bytes that are not UTF-8 are left out', (t) => {
  const result = parseRegistration(path, Buffer.from([0x7b, 0xff, 0x7d]), nodeStat(), { allowLoopback: false });
  t.regex(result.ok ? '' : result.reason, /not JSON/);
});

test('a path that is no registration is left out', (t) => {
  for (const odd of [
    '/services/dns/1.2.0',
    '/services/DNS/1/m',
    '/services/dns/1/m;x',
    '/services/dns/../m',
    '/x',
    '',
  ]) {
    const result = parse(good, odd);
    t.regex(result.ok ? '' : result.reason, /the path is not/, odd);
  }
});

test('loopback addresses are good where the environment is local, link-local ones are not', (t) => {
  t.true(parse({ ...good, address: '127.9.8.7' }, path, { allowLoopback: true }).ok);
  t.false(parse({ ...good, address: '169.254.1.1' }, path, { allowLoopback: true }).ok);
});

test('another machine’s address, or another service than it was claimed for, is told by the ledger', (t) => {
  const claim = { service: 'dns', version: '1.2.0', digest: '', operation: '', at: 0 };
  t.is(ledgerProblem(good, undefined), null);
  t.is(ledgerProblem(good, { address: '10.0.0.3', claim }), null);
  t.regex(ledgerProblem(good, { address: '10.0.0.4' }) ?? '', /address .* machine m-1/);
  t.regex(ledgerProblem(good, { claim: { ...claim, service: 'mail' } }) ?? '', /m-1 is claimed for mail@1.2.0/);
  t.regex(ledgerProblem(good, { claim: { ...claim, version: '2' } }) ?? '', /m-1 is claimed for dns@2/);
});

test('an address has one way to be written, which means the same', (t) => {
  const pairs = {
    'FD00::3': 'fd00::3',
    'd42:129:c7:2:e6:86af:7::': 'd42:129:c7:2:e6:86af:7:0',
    '0:0:1::1': '0:0:1::1',
    '::ffff:1.2.3.4': '::ffff:102:304',
  };
  for (const [given, written] of Object.entries({
    ...pairs,
    '::': '::',
    '1::': '1::',
    '::1': '::1',
    '10.0.0.1': '10.0.0.1',
    x: 'x',
  }))
    t.is(canonicalAddress(given), written);
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const written = canonicalAddress(text);
      const { hostname } = new URL(`http://[${text}]/`);
      return `[${written}]` === hostname && canonicalAddress(written) === written;
    }),
  );
});

test('addresses are told apart', (t) => {
  const kinds = [
    '1.2.3.4',
    '01.2.3.4',
    '1.2.3',
    '256.1.1.1',
    '1::',
    '::',
    '1::2::3',
    'fe80::1',
    'fe80::1%eth0',
    '::1.2.3.4',
    '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7',
    ':1',
    '12345::',
    'ff02::1',
    '1.2.3.4::',
  ];
  t.deepEqual(kinds.map(addressKind), [
    'public',
    'not-an-address',
    'not-an-address',
    'not-an-address',
    'public',
    'unusable',
    'not-an-address',
    'link-local',
    'not-an-address',
    'public',
    'public',
    'not-an-address',
    'not-an-address',
    'not-an-address',
    'not-an-address',
    'unusable',
    'not-an-address',
  ]);
});

/** Nasty and nearly good content alike. */
const anyField = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('10.0.0.3', '::ffff:10.0.0.3', 'up', '/a', '/a{', 'x;y', '$z', '..', '1', 'a'.repeat(64)),
  fc.integer(),
  fc.double(),
  fc.constant(null),
  fc.object({ maxDepth: 1 }),
);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 5000 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .dictionary(fc.constantFrom(...Object.keys(good), '__proto__', 'other'), anyField)
    .map((fields) => Buffer.from(JSON.stringify({ ...good, ...fields }))),
);

test('whatever a node holds, parsing never throws and lets only allow-listed characters through', (t) => {
  const allowed = /^[0-9A-Za-z._:~=%/-]*$/;
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(fc.constant(path), fc.string()), content, fc.boolean(), (where, data, allowLoopback) => {
      const result = parseRegistration(where, data, nodeStat(), { allowLoopback });
      if (!result.ok) return;
      accepted += 1;
      for (const value of Object.values(result.record)) if (!allowed.test(String(value))) return false;
      const { record } = result;
      return record.port >= 1 && record.port <= 65_535 && addressKind(record.address) !== 'not-an-address';
    }),
    { numRuns: 2000 },
  );
  t.true(accepted > 0);
});
