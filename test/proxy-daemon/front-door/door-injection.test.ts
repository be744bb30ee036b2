/** Whatever stands in the registry for a front door: nginx is given the template's directives and no other, in both modes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type FrontDoor, frontDoorSchema, noDoor } from '../../../proxy-daemon/front-door/front-door.ts';
import { makeServiceDoor } from '../../../proxy-daemon/front-door/service-door.ts';
import { makeNginxConfig } from '../../../proxy-daemon/nginx/config.ts';
import { doorTable } from '../../../proxy-daemon/nginx/door-table.ts';
import { makeDynamicConfig } from '../../../proxy-daemon/nginx/dynamic-config.ts';
import { emit } from '../../../proxy-daemon/nginx/emit.ts';
import { luaModules } from '../../../proxy-daemon/nginx/lua-module.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { installLua } from '../../../proxy-daemon/nginx/static-files.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import type { OperationDoorSpec, ServiceDoorSpec } from '../../../specs/front-door.ts';
import type { Service } from '../../../specs/nouns.ts';
import { Authority } from '../../helpers/certificates.ts';
import { checkNginx } from '../../helpers/check-nginx.ts';
import { hostileWords } from '../../helpers/nasty.ts';
import { directivesOf } from '../../helpers/nginx-directives.ts';
import { sampleService } from '../../helpers/sample-world.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const sha256 = 'a'.repeat(64);
const full: ServiceDoorSpec[] = [
  {
    access: { apiKeys: { header: 'X-API-Key', clients: [{ name: 'shop', sha256 }] }, clientCertificate: 'required' },
    limits: { rate: { requests: 10, per: 's', burst: 5 }, bodyBytes: 100 },
    cors: {
      origins: ['https://app.example'],
      methods: ['GET'],
      headers: ['X-A'],
      expose: ['X-B'],
      credentials: true,
      maxAgeMs: 1,
    },
  },
  {
    access: { basicFile: '/users' },
    operations: [
      { method: 'POST', path: '/zones/{id}', limits: { rate: { requests: 10, per: 's', burst: 5 }, bodyBytes: 100 } },
      { method: 'ANY', path: '/admin/**', access: { clientCertificate: 'required' } },
      { method: 'GET', path: '/health', open: true },
    ],
    cors: { origins: ['*'], methods: [], headers: [], expose: [], credentials: false, maxAgeMs: 0 },
  },
];

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    ...hostileWords,
    'http://a;b',
    'https://a.example"; include /etc/passwd; "',
    "x'); os.execute('id",
    'X-API-Key',
    'a\tb',
  ),
  fc.constantFrom('https://app.example', '*', 'GET', 'shop', sha256, 'Authorization', 'x'.repeat(5000)),
);
const number = fc.oneof(fc.integer({ min: -5, max: 2_000_000 }), fc.double());
const list = fc.array(nasty, { maxLength: 3 });
const mostly = <T>(sound: T, hostile: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(sound) }, { weight: 1, arbitrary: hostile });
const clients = fc.array(fc.record({ name: mostly('shop', nasty), sha256: mostly(sha256, nasty) }), { maxLength: 2 });
const accessOf = fc.oneof(
  fc.record({ apiKeys: fc.record({ header: mostly('X-API-Key', nasty), clients }) }),
  fc.record({ basicFile: nasty }),
  fc.record({ clientCertificate: fc.constantFrom('required', 'optional') }),
  fc.constant({}),
);
const limitsOf = fc.record(
  {
    rate: fc.record({ requests: mostly(5, number), per: fc.constantFrom('s', 'm'), burst: mostly(0, number) }),
    bodyBytes: mostly(1000, number),
  },
  { requiredKeys: [] },
);
const path = fc.oneof(fc.constantFrom('/a/**', '/**', '/', '/(a+)+', '/a b', '/a"', '/{a}{b}', '/%', '/%41.*~'), nasty);
const operation = fc.record(
  {
    method: mostly('GET', fc.oneof(fc.constantFrom('ANY', 'POST'), nasty)),
    path: mostly('/zones/{id}', path),
    access: accessOf,
    open: fc.constant(true as const),
    limits: limitsOf,
  },
  { requiredKeys: ['method', 'path'] },
);
/** Each setting is sound, or of the right kind and hostile. */
const door = fc.record(
  {
    access: accessOf,
    limits: limitsOf,
    operations: mostly(
      full[1]?.operations ?? [],
      fc.array(operation as fc.Arbitrary<OperationDoorSpec>, { maxLength: 2 }),
    ),
    cors: fc.record({
      origins: mostly(['https://app.example'], list),
      methods: mostly(['GET'], list),
      headers: mostly(['X-A'], list),
      expose: mostly([], list),
      credentials: fc.boolean(),
      maxAgeMs: mostly(1000, number),
    }),
  },
  { requiredKeys: [] },
);
const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom('dns', 'mail', 'a-b') }, { weight: 1, arbitrary: nasty });
const protocol = fc.constantFrom(undefined, 'grpc' as const);
const services = fc.uniqueArray(fc.tuple(name, door, protocol), { maxLength: 3, selector: ([of]) => of });

test('whatever is declared at a door, nginx accepts it, and it is nothing but the template', async (t) => {
  const dir = await tempDir(t);
  const paths = gatewayPaths(dir);
  installLua(paths);
  const authority = await Authority.create(dir, 'ca');
  const pair = await authority.issue('site', ['127.0.0.1']);
  writeFileSync(join(dir, 'site.key'), pair.key);
  writeFileSync(join(dir, 'site.crt'), pair.cert);
  const files = { certificate: join(dir, 'site.crt'), key: join(dir, 'site.key'), clientCa: authority.certPath };
  const common = {
    listen: { address: '127.0.0.1', port: 1025 },
    paths,
    user: null,
    workers: 1,
    shutdownTimeoutMs: 1000,
  };
  const dynamic = { http2: null, tableBytes: 2 ** 20, modules: luaModules(), adminSocket: join(dir, 'admin/s') };
  const settings = { ...common, gzipStatic: true };
  const textsOf = (of: FrontDoor) => [
    emit(makeNginxConfig(emptyRouteTable, settings, of)),
    emit(makeDynamicConfig({ ...settings, ...dynamic, door: of })),
  ];
  const doorOf = (declared: Service[], redirect: boolean): FrontDoor => ({
    tls: { port: 1026, ...files, redirect, names: [], notAfter: 0 },
    bodyBytes: 1000,
    securityHeaders: true,
    log: redirect,
    trustedProxies: redirect ? ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] : [],
    services: declared.flatMap((one) => makeServiceDoor(one, () => join(dir, 'users')) ?? []),
  });
  const sound = full.flatMap((one, index) => [
    sampleService(`http-${index}`, [], one),
    sampleService(`grpc-${index}`, [], { ...one, proxy: { protocol: 'grpc' } }),
    sampleService(`any-${index}`, [], { ...one, proxy: { retryNonIdempotent: true } }),
  ]);
  const closed = sampleService('closed', [], { access: {} });
  const allowed = [true, false].flatMap((redirect) => textsOf(doorOf([...sound, closed], redirect)).map(directivesOf));
  const known = new Set([...allowed, ...textsOf(noDoor).map(directivesOf)].flatMap((found) => [...found]));
  const problemOf = (of: FrontDoor) =>
    textsOf(of).map((text) => {
      const { problem, files } = checkNginx(dir, text);
      return problem || files.filter((file) => file !== join(dir, 'candidate.conf')).join(', ');
    });
  t.deepEqual(problemOf(doorOf([...sound, closed], true)), ['', '']);
  let [runs, open] = [0, 0];
  fc.assert(
    fc.property(services, fc.boolean(), (declared, redirect) => {
      const made = doorOf(
        declared.map(([of, spec, speaks]) =>
          sampleService(of, [], { ...(spec as ServiceDoorSpec), ...(speaks && { proxy: { protocol: speaks } }) }),
        ),
        redirect,
      );
      const remembered = JSON.parse(JSON.stringify(made));
      t.deepEqual(frontDoorSchema.parse(remembered), remembered);
      t.true(made.services.every(({ bodyBytes }) => bodyBytes === null || bodyBytes > 0));
      for (const found of textsOf(made).map(directivesOf)) for (const path of found) if (!known.has(path)) t.fail(path);
      for (const line of doorTable(made)?.text.split('\n') ?? []) {
        t.regex(
          line,
          /^(?:log|door\t[a-z0-9-]+\t\/[a-z0-9_/-]+\t\/[a-z0-9_/-]+\t(?:-|mcp_operation_\d+)|gate\t\/[a-z0-9_/-]+\t(?:-|http_[a-z0-9_]+)\t[a-z0-9/-]+|key\t[a-z0-9/-]+\t[a-z0-9-]+\t[0-9a-f]{64})?$/,
        );
      }
      open += made.services.filter((one) => one.closed === '').length;
      runs += 1;
      if (runs % (process.env.MCP_ALL === '1' ? 1 : 20) === 0) t.deepEqual(problemOf(made), ['', '']);
    }),
    // Draws anew vary: more of them, so that the bound below is none of luck.
    { numRuns: process.env.MCP_ALL === '1' ? 900 : 300 },
  );
  t.true(open > 60, `only ${open} doors were not closed: the fuzzer has lost its aim`);
});
