/**
 * Whoever can write to a registry, ours or another's, writes what they like: here they do, and what nginx is given of it is read
 * back and checked whole. From bytes to configuration, in every dialect.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { NginxParser, type NginxParseTreeNode } from 'nginx-conf/dist/src/parser.js';
import { daemonSocketPath } from '../../proxy-daemon/explain/daemon-socket.ts';
import { foreignRegistrations } from '../../proxy-daemon/foreign/foreign-registrations.ts';
import { makeNginxConfig } from '../../proxy-daemon/nginx/config.ts';
import { type Directive, emit } from '../../proxy-daemon/nginx/emit.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { makeRoutes } from '../../proxy-daemon/routes/make-routes.ts';
import { emptyRouteTable, type LiveRegistration, type RouteTable } from '../../proxy-daemon/routes/route-table.ts';
import { parseRegistration } from '../../registrar/dialects/native.ts';
import type { MembershipNode } from '../../registrar/recipes/membership-state.ts';
import { SortedMap } from '../../registrar/recipes/sorted-map.ts';
import type { Environment, ForeignDialect, ForeignRegistry } from '../../specs/nouns.ts';
import { checkNginx } from '../helpers/check-nginx.ts';
import { hostileWords } from '../helpers/nasty.ts';
import { sampleEnvironment, sampleService, sampleVersion } from '../helpers/sample-world.ts';
import { nodeStat } from '../helpers/stat.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const dialects = ['curator', 'nerve', 'serverset'] as const;
const registries = dialects.map((dialect): ForeignRegistry => {
  const weight = dialect === 'nerve' ? { weight: 0 } : { weight: 10 };
  const own = { service: dialect, path: `/f/${dialect}`, version: 'theirs', route: `/x/${dialect}`, document: '/api' };
  const joined = { service: 'dns', path: '/f/dns', version: dialect, ...weight };
  return { dialect, graceMs: 0, services: [own, joined] };
});
const plainEnvironment = sampleEnvironment([
  sampleService('dns', [sampleVersion('1', 1, 80)]),
  sampleService('web', [], { route: '/' }),
]);
const environment: Environment = { ...plainEnvironment, gateway: { ...plainEnvironment.gateway, registries } };

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(...hostileWords, '/../', '\u0000', '\u202e'),
  fc.constantFrom(
    '127.0.0.1; deny all',
    '10.0.0.1:80',
    '10.0.0.1 ',
    'localhost',
    'unix:/etc/shadow',
    '::ffff:7f00:1',
    '0x7f.1',
    '١.٢.٣.٤',
  ),
  fc.constantFrom(
    'include /etc/passwd;',
    'weight=1 } http {',
    'up',
    'draining',
    'ALIVE',
    'UP',
    '1',
    'dns',
    'theirs',
    'x'.repeat(5000),
  ),
  fc.ipV4(),
  fc.ipV6(),
);
const value = fc.oneof(nasty, fc.integer({ min: -1, max: 70_000 }), fc.double(), fc.constantFrom(null, true, [], {}));

/** A good record with some of its fields, at any depth of two, put to something else; or no record at all. */
function around(good: Record<string, unknown>): fc.Arbitrary<string> {
  const keys = Object.keys(good);
  const spoilt = fc.array(fc.tuple(fc.constantFrom(...keys), fc.option(fc.tuple(nasty, value)), value), {
    maxLength: 3,
  });
  const record = spoilt.map((changes) => {
    const made: Record<string, unknown> = { ...good };
    for (const [key, inner, put] of changes) {
      const held = good[key];
      const isDeep = inner !== null && typeof held === 'object' && held !== null;
      made[key] = isDeep ? { ...held, [Object.keys(held)[0] ?? inner[0]]: inner[1], [inner[0]]: inner[1] } : put;
    }
    return JSON.stringify(made);
  });
  return fc.oneof(
    { weight: 8, arbitrary: record },
    { weight: 1, arbitrary: nasty },
    { weight: 1, arbitrary: fc.json() },
  );
}

const address = fc.oneof(
  { weight: 3, arbitrary: fc.ipV4() },
  { weight: 1, arbitrary: fc.ipV6() },
  { weight: 1, arbitrary: nasty },
);
const port = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 65_535 }) }, { weight: 1, arbitrary: value });
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'member_1', 'member_2', 'vector_1') },
  { weight: 1, arbitrary: nasty },
);

const native = fc
  .record({
    service: fc.oneof(fc.constantFrom('dns', 'web', 'new'), nasty),
    version: fc.oneof(fc.constantFrom('1', '2'), nasty),
    machine: name,
    address,
    port,
  })
  .chain((fields) =>
    around({ schema: 1, ...fields, state: 'up', document: '/api', digest: 'a'.repeat(64), at: 1 }).map((content) => {
      return { path: `/services/${fields.service}/${fields.version}/${fields.machine}`, content };
    }),
  );
const foreign: Record<ForeignDialect, fc.Arbitrary<{ name: string; content: string }>> = {
  curator: fc.tuple(name, address, port, fc.constantFrom('curator', 'dns')).chain(([id, at, of, service]) =>
    around({
      name: service,
      id,
      address: at,
      port: of,
      enabled: true,
      payload: { metadata: {} },
      uriSpec: { parts: [] },
    }).map((content) => ({ name: id, content })),
  ),
  nerve: fc
    .tuple(name, address, port, fc.boolean(), fc.integer({ min: 0, max: 256 }))
    .chain(([id, host, of, isEncoded, weight]) =>
      around({ host, port: of, name: id, weight, haproxy_server_options: 'check', labels: {} }).map((content) => {
        const encoded = Buffer.from(content).toString('base64url');
        return { name: isEncoded ? `base64_${encoded.length}_${encoded}_0000000001` : `${id}_0000000001`, content };
      }),
    ),
  serverset: fc.tuple(name, address, port).chain(([id, host, of]) => {
    const endpoint = { host, port: of };
    const vector = [{ select: `inet=${host}:${of}`, weight: 1.7 }];
    return around({
      status: 'ALIVE',
      serviceEndpoint: endpoint,
      additionalEndpoints: { http: endpoint },
      shard: 0,
      vector,
    }).map((content) => ({ name: id, content }));
  }),
};
const world = fc.record({
  native: fc.array(native, { maxLength: 6 }),
  curator: fc.array(foreign.curator, { maxLength: 5 }),
  nerve: fc.array(foreign.nerve, { maxLength: 5 }),
  serverset: fc.array(foreign.serverset, { maxLength: 5 }),
});

/** What the daemon does with what is registered, from the bytes on. */
function tableOf(registered: typeof world extends fc.Arbitrary<infer World> ? World : never): RouteTable {
  const options = { allowLoopback: true };
  const own = registered.native.flatMap(({ path, content }): LiveRegistration[] => {
    const parsed = parseRegistration(path, Buffer.from(content), nodeStat(), options);
    return parsed.ok ? [{ path, record: parsed.record, mzxid: 1 }] : [];
  });
  const others = registries.flatMap((registry) =>
    registry.services.flatMap((service) => {
      const nodes = SortedMap.of<MembershipNode>(
        registered[registry.dialect].map((one) => [
          `${service.path}/${one.name}`,
          { data: Buffer.from(one.content), stat: nodeStat() },
        ]),
      );
      return foreignRegistrations(registry, service, { nodes, unreadable: new Set() }, [], options).registrations;
    }),
  );
  return makeRoutes({
    desired: environment,
    registrations: [...own, ...others],
    previous: emptyRouteTable,
    dead: new Set(),
    now: 0,
  });
}

interface Found {
  /** `http/server/location/return`; entries of maps and types are data and count as `*`. */
  path: string;
  value: string;
}

function directivesOf(text: string): Found[] {
  const found: Found[] = [];
  const walk = (node: NginxParseTreeNode, path: string, inData: boolean): void => {
    for (const child of node.children ?? []) {
      const own = `${path}${inData ? '*' : child.name}`;
      found.push({ path: own, value: String(child.value ?? '') });
      walk(child, `${own}/`, child.name === 'map' || child.name === 'types');
    }
  };
  new NginxParser().parse(text, (error, tree) => {
    if (error) throw error;
    if (tree) walk(tree, '', false);
  });
  return found;
}

/** Names in nginx are one for all; each case gets its own, so that many are checked as one configuration. */
function asPart(http: readonly Directive[], index: number): string {
  const own = http.filter(({ name: of }) => of === 'map' || of === 'upstream' || of === 'server');
  return index === 0 ? emit(own) : emit(own).replaceAll('mcp_', `c${index}_mcp_`);
}

test('whatever is registered in whatever dialect: no directive beyond the template’s, and nginx accepts it', async (t) => {
  const dir = await tempDir(t);
  const settings = {
    listen: { address: '127.0.0.1', port: 1025 },
    paths: gatewayPaths(dir),
    user: null,
    workers: 1,
    gzipStatic: true,
    shutdownTimeoutMs: 1000,
  };
  const configOf = (table: RouteTable) => makeNginxConfig(table, settings);
  const good = { name: 'a', content: '' };
  const full = tableOf({
    native: [
      {
        path: '/services/dns/1/a',
        content: JSON.stringify({
          schema: 1,
          service: 'dns',
          version: '1',
          machine: 'a',
          address: '10.0.0.9',
          port: 1,
          state: 'up',
          at: 1,
        }),
      },
    ],
    curator: [{ ...good, content: JSON.stringify({ name: 'curator', id: 'a', address: '10.0.0.1', port: 1 }) }],
    nerve: [{ ...good, content: JSON.stringify({ host: '10.0.0.2', port: 1 }) }],
    serverset: [
      {
        name: 'member_1',
        content: JSON.stringify({ status: 'ALIVE', serviceEndpoint: { host: '10.0.0.3', port: 1 } }),
      },
    ],
  });
  t.deepEqual(
    full.routes.map(({ instances }) => instances.filter(({ weight }) => weight > 0).length).sort(),
    [0, 1, 1, 1, 2],
  );
  const allowed = new Set(directivesOf(emit(configOf(full))).map(({ path }) => path));
  let batch: Directive[][] = [];
  let routed = 0;
  const checkBatch = () => {
    const tree = configOf(emptyRouteTable);
    const common = (tree.at(-1)?.block ?? []).filter(
      ({ name: of }) => !['map', 'upstream', 'server'].includes(String(of)),
    );
    const http = `http {\n${emit(common)}variables_hash_max_size 65536;\nvariables_hash_bucket_size 128;\n${batch.map(asPart).join('')}}\n`;
    const text = `${emit(tree.slice(0, -1))}${http}`;
    t.deepEqual(checkNginx(dir, text), { problem: '', files: [join(dir, 'candidate.conf')] });
    batch = [];
  };
  fc.assert(
    fc.property(world, (registered) => {
      const table = tableOf(registered);
      const tree = configOf(table);
      for (const { path, value: held } of directivesOf(emit(tree))) {
        if (!allowed.has(path)) t.fail(path);
        if (path === 'http/upstream/server' && held !== `unix:${daemonSocketPath(dir)}`) {
          routed += 1;
          t.regex(
            held,
            /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]):\d{1,5} weight=\d{1,7} max_fails=2 fail_timeout=2s$/,
          );
        }
      }
      for (const { reason } of table.rejected) t.true(reason.length > 0);
      batch.push(tree.at(-1)?.block ?? []);
      if (batch.length === 50) checkBatch();
    }),
    { numRuns: 250 },
  );
  if (batch.length > 0) checkBatch();
  t.true(routed > 120, `only ${routed} instances got through: the fuzzer has lost its aim`);
});

test('a configuration that reaches for a file of somebody else’s is seen: refused where it is secret, told where it is not', async (t) => {
  const dir = await tempDir(t);
  const including = (path: string) => checkNginx(dir, `pid ${dir}/logs/pid; events {} http { include ${path}; }`);
  const [open, secret] = [join(dir, 'open.conf'), join(dir, 'secret.conf')];
  writeFileSync(open, 'deny all;', { mode: 0o644 });
  t.deepEqual(including(open), { problem: '', files: [join(dir, 'candidate.conf'), open] });
  // Valid as a configuration, so only who may read it decides.
  writeFileSync(secret, 'deny all;', { mode: process.getuid?.() === 0 ? 0o600 : 0 });
  t.regex(including(secret).problem, /secret\.conf.*Permission denied/);
  t.regex(including('/etc/shadow').problem, /shadow.*Permission denied/);
});
