/** What Curator, Nerve and ServerSet registrants write, and what others might write in their place. */
import test from 'ava';
import fc from 'fast-check';
import type { ForeignNode } from '../../../registrar/dialects/foreign.ts';
import { readForeignService } from '../../../registrar/dialects/read-foreign.ts';
import type { ForeignDialect } from '../../../specs/nouns.ts';
import { nodeStat } from '../../helpers/stat.ts';

type Nodes = Record<string, unknown>;

function node(name: string, content: unknown, czxid = 1): ForeignNode {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return { name, data: Buffer.from(text), stat: nodeStat({ czxid }) };
}

function read(dialect: ForeignDialect, nodes: Nodes, more: { endpoint?: string; allowLoopback?: boolean } = {}) {
  const all = Object.entries(nodes).map(([name, content], index) => node(name, content, index + 1));
  return readForeignService(dialect, all, { allowLoopback: false, serviceName: 'pay', ...more });
}

/** `address:port` of each instance, with what it says, if anything; and `node: reason` of what is left out. */
function summary(dialect: ForeignDialect, nodes: Nodes, more = {}) {
  const { instances, rejected } = read(dialect, nodes, more);
  return [
    ...instances.map(({ address, port, says }) => `${address}:${port}${says && ` ${says}`}`),
    ...rejected.map(({ node: name, reason }) => `${name}: ${reason}`),
  ];
}

const spring = {
  name: 'pay',
  id: 'a',
  address: '10.0.0.3',
  port: 8040,
  sslPort: null,
  payload: {
    '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
    id: 'app-1',
    name: 'pay',
    metadata: {},
  },
  registrationTimeUTC: 1_553_592_092_875,
  serviceType: 'DYNAMIC',
  uriSpec: {
    parts: [
      { value: 'scheme', variable: true },
      { value: '://', variable: false },
    ],
  },
};
const status = (instance_status: unknown) => ({
  ...spring,
  payload: { ...spring.payload, metadata: { instance_status } },
});
const nerve = { host: '10.0.0.3', port: 3000, name: 'i-42', weight: 2, labels: { az: 'a' } };
const member = {
  status: 'ALIVE',
  additionalEndpoints: { http: { host: '10.0.0.2', port: 80 } },
  serviceEndpoint: { host: '10.0.0.3', port: 8080 },
  shard: 0,
};
const encoded = (content: object, length?: number) => {
  const text = Buffer.from(JSON.stringify(content)).toString('base64url');
  return `base64_${length ?? text.length}_${text}_0000000042`;
};
const to = (port: unknown) => ({ ...member, serviceEndpoint: { host: '10.0.0.3', port } });

/** What is shown of one node named `a` (`member_0000000001` for ServerSets), unless the case names its nodes. */
const cases: [ForeignDialect, string, unknown, string][] = [
  ['curator', 'as Spring writes it', spring, '10.0.0.3:8040'],
  ['curator', 'unknown fields', { ...spring, enabled: true, future: { x: 1 } }, '10.0.0.3:8040'],
  ['curator', 'the least', { name: 'pay', id: 'a', address: 'FD00::1', port: 1 }, 'fd00::1:1'],
  ['curator', 'disabled', { ...spring, enabled: false }, '10.0.0.3:8040 enabled: false'],
  ['curator', 'enabled as text', { ...spring, enabled: 'yes' }, 'a: enabled is neither true nor false'],
  ['curator', 'status empty', status(''), '10.0.0.3:8040'],
  ['curator', 'status up', status('up'), '10.0.0.3:8040'],
  ['curator', 'out of service', status('OUT_OF_SERVICE'), '10.0.0.3:8040 instance_status OUT_OF_SERVICE'],
  ['curator', 'an odd status', status('} server {'), '10.0.0.3:8040 instance_status is not UP'],
  ['curator', 'a status that is no text', status(7), '10.0.0.3:8040 instance_status is not UP'],
  ['curator', 'sequential', { ...spring, id: '' }, 'a: id is not the one in the path'],
  ['curator', 'somebody else’s id', { ...spring, id: 'b' }, 'a: id is not the one in the path'],
  ['curator', 'another service', { ...spring, name: 'dns' }, 'a: name is not the one in the path'],
  [
    'curator',
    'TLS only',
    { ...spring, port: null, sslPort: 443 },
    'a: it has only an sslPort: the gateway speaks plain HTTP to instances',
  ],
  ['curator', 'no port', { ...spring, port: null }, 'a: port is not a whole number from 1 to 65535'],
  [
    'curator',
    'https by its uriSpec',
    { ...spring, uriSpec: { parts: [{ value: 'https://', variable: false }] } },
    'a: uriSpec says https: the gateway speaks plain HTTP to instances',
  ],
  ['curator', 'a host name', { ...spring, address: 'pay.example' }, 'a: address is not an IP address'],
  ['curator', 'a loopback address', { ...spring, address: '127.0.0.1' }, 'a: address is a loopback address'],
  ['curator', 'the metadata service', { ...spring, address: '169.254.169.254' }, 'a: address is link-local'],
  ['nerve', 'as Nerve writes it', nerve, '10.0.0.3:3000'],
  ['nerve', 'a port in quotes', { host: '10.0.0.3', port: '3000' }, '10.0.0.3:3000'],
  ['nerve', 'weight 0', { ...nerve, weight: 0 }, '10.0.0.3:3000 weight 0'],
  [
    'nerve',
    'a backup',
    { ...nerve, haproxy_server_options: 'check backup' },
    '10.0.0.3:3000 haproxy_server_options: backup',
  ],
  ['nerve', 'raw options', { ...nerve, haproxy_server_options: 'cookie x } server {' }, '10.0.0.3:3000'],
  ['nerve', 'weight -1', { ...nerve, weight: -1 }, 'a: weight is not a whole number from 0 to 256'],
  ['nerve', 'weight 257', { ...nerve, weight: 257 }, 'a: weight is not a whole number from 0 to 256'],
  ['nerve', 'no host', { port: 1 }, 'a: host is not an IP address'],
  ['nerve', 'port 70000', { ...nerve, port: 70_000 }, 'a: port is not a whole number from 1 to 65535'],
  ['serverset', 'as Finagle writes it', member, '10.0.0.3:8080'],
  ['serverset', 'starting', { ...member, status: 'STARTING' }, '10.0.0.3:8080 status STARTING'],
  ['serverset', 'stopping', { ...member, status: 'STOPPING' }, '10.0.0.3:8080 status STOPPING'],
  ['serverset', 'dead', { ...member, status: 'DEAD' }, '10.0.0.3:8080 status DEAD'],
  ['serverset', 'no status', { ...member, status: undefined }, '10.0.0.3:8080 status UNKNOWN'],
  ['serverset', 'an odd status', { ...member, status: 'a\nb' }, '10.0.0.3:8080 status UNKNOWN'],
  ['serverset', 'no endpoint', { status: 'ALIVE' }, 'member_0000000001: it has no serviceEndpoint'],
  ['serverset', 'port 0', to(0), 'member_0000000001: port is not a whole number from 1 to 65535'],
  ['serverset', 'a broken port', to(80.5), 'member_0000000001: port is not a whole number from 1 to 65535'],
];
for (const dialect of ['curator', 'nerve', 'serverset'] as const) {
  const name = dialect === 'serverset' ? 'member_0000000001' : 'a';
  cases.push(
    [dialect, 'an empty node', '', `${name}: it is empty`],
    [dialect, 'torn JSON', '{"name":"pay","id"', `${name}: it is not JSON`],
    [dialect, 'a list', '[]', `${name}: it is not a JSON object`],
    [dialect, 'more than 64 KB', { ...spring, padding: 'x'.repeat(70_000) }, `${name}: it has more than 65536 bytes`],
    [dialect, 'a __proto__ key', '{"__proto__":{"port":1}}', `${name}: it has the key __proto__`],
  );
}

test('each dialect is read as its own readers read it, and no value is believed that does not fit', (t) => {
  for (const [dialect, title, content, expected] of cases) {
    const name = dialect === 'serverset' ? 'member_0000000001' : 'a';
    t.deepEqual(summary(dialect, { [name]: content }), [expected], `${dialect}: ${title}`);
  }
});

test('a persistent node is left out in each dialect', (t) => {
  for (const [dialect, name, content] of [
    ['curator', 'a', { ...spring, serviceType: 'STATIC' }],
    ['nerve', 'a', nerve],
    ['serverset', 'member_1', member],
  ] as const) {
    const persistent = { ...node(name, content), stat: nodeStat({ ephemeralOwner: null }) };
    const { rejected } = readForeignService(dialect, [persistent], { allowLoopback: false, serviceName: 'pay' });
    t.regex(rejected[0]?.reason ?? '', /persistent/);
  }
});

test('a sequential Curator instance has its number behind its id', (t) => {
  t.deepEqual(summary('curator', { a0000000007: spring }), ['10.0.0.3:8040']);
  t.regex(summary('curator', { a000000000x: spring })[0] ?? '', /id is not/);
});

test('a Nerve name that holds the registration is read instead of the data; one that can not be decoded is not', (t) => {
  t.deepEqual(summary('nerve', { [encoded(nerve)]: '' }), ['10.0.0.3:3000']);
  t.deepEqual(summary('nerve', { [encoded(nerve, 5)]: { ...nerve, port: 4 } }), ['10.0.0.3:4']);
  t.is(read('nerve', { [encoded(nerve)]: '' }).instances[0]?.weight, 2);
});

test('a Nerve registrant that is there twice is one instance, the newer node', (t) => {
  const { instances } = read('nerve', { 'i-42_0000000001': nerve, 'i-42_0000000002': { ...nerve, weight: 5 } });
  t.deepEqual(
    instances.map(({ node: name, weight }) => [name, weight]),
    [['i-42_0000000002', 5]],
  );
});

test('a ServerSet’s additional endpoint is used where it is asked for', (t) => {
  t.deepEqual(summary('serverset', { member_1: member }, { endpoint: 'http' }), ['10.0.0.2:80']);
  t.regex(
    summary('serverset', { member_1: member }, { endpoint: 'toString' })[0] ?? '',
    /no additional endpoint toString/,
  );
});

test('a ServerSet’s vectors multiply; a bad one is left out alone; other nodes are no concern of ours', (t) => {
  const rules = (...vector: object[]) => ({ vector });
  const { instances, rejected } = read('serverset', {
    member_0000000001: member,
    member_0000000002: { ...member, shard: 1, serviceEndpoint: { host: '10.0.0.4', port: 8080 } },
    vector_0000000001: rules(
      { select: 'member=1', weight: 1.5, priority: 1 },
      { select: 'shard=1', weight: 0 },
      { select: 7 },
    ),
    vector_0000000002: rules({ select: 'inet=10.0.0.3:8080', weight: 2 }, { select: 'inet=10.0.0.3:80', weight: 9 }),
    vector_0000000003: rules({ select: 'member=1', weight: 1e99 }),
    action_0000000001: 'x',
  });
  t.deepEqual(
    instances.map(({ weight, says }) => [weight, says]),
    [
      [3, ''],
      [1, 'weight 0'],
    ],
  );
  t.deepEqual(
    rejected.map(({ node: name }) => name),
    ['vector_0000000003'],
  );
});

test('thousands of bad nodes displace nobody, and of too many good ones the oldest stay', (t) => {
  const bad = Array.from({ length: 5000 }, (_, n) => node(`bad-${n}`, `{"host":"10.0.0.1","port":${70_000 + n}}`, n));
  const good = Array.from({ length: 1500 }, (_, n) =>
    node(`i-${n}`, { ...nerve, name: `i-${n}`, port: n + 1 }, 10_000 + n),
  );
  const { instances, rejected, surplus } = readForeignService('nerve', [...good.reverse(), ...bad], {
    allowLoopback: false,
    serviceName: 'pay',
  });
  t.deepEqual([instances.length, rejected.length, surplus], [1000, 5000, 500]);
  t.is(instances.at(-1)?.port, 1000);
});

test('whatever a node and its name hold, reading never throws and lets only allow-listed characters through', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('10.0.0.1', 'ALIVE', 'UP', 'x;', '} server {', '\u202e', 'a', 'pay'),
  );
  const value = fc.oneof(
    text,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.json().map((json) => JSON.parse(json)),
  );
  const endpoint = fc.record({ host: value, port: fc.oneof(fc.nat(70_000), value) }, { requiredKeys: [] });
  const content = fc.oneof(
    fc.record(
      {
        ...{
          name: value,
          id: value,
          address: value,
          host: value,
          port: fc.oneof(fc.nat(70_000), value),
          weight: value,
        },
        ...{
          enabled: value,
          uriSpec: value,
          status: value,
          shard: value,
          haproxy_server_options: value,
          sslPort: value,
        },
        ...{
          payload: fc.record({ metadata: fc.record({ instance_status: value }) }),
          vector: fc.array(fc.record({ select: text, weight: value })),
        },
        ...{ serviceEndpoint: endpoint, additionalEndpoints: fc.dictionary(text, endpoint) },
      },
      { requiredKeys: [] },
    ),
    value,
  );
  const name = fc.oneof(
    text,
    text.map((rest) => `member_${rest}`),
    text.map((rest) => `base64_${rest.length}_${rest}`),
    fc.constant('vector_1'),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('curator' as const, 'nerve' as const, 'serverset' as const),
      fc.array(fc.tuple(name, content), { maxLength: 5 }),
      (dialect, nodes) => {
        const all = nodes.map(([of, held]) => node(of, typeof held === 'string' ? held : (JSON.stringify(held) ?? '')));
        const { instances, rejected } = readForeignService(dialect, all, { allowLoopback: true, serviceName: 'pay' });
        for (const one of instances) {
          t.regex(one.address, /^[0-9a-f:.]+$/);
          t.true(Number.isInteger(one.port) && one.port > 0 && one.port < 65_536);
          t.regex(one.label, /^[0-9A-Za-z._-]{1,64}$/);
          t.regex(one.says, /^[A-Za-z0-9_: -]{0,80}$/);
          t.true(one.weight > 0 && one.weight <= 1000);
        }
        for (const { reason } of rejected) t.regex(reason, /^[\x20-\x7e]+$/);
      },
    ),
    { numRuns: 500 },
  );
});
