import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type FrontDoor, noDoor } from '../../../proxy-daemon/front-door/front-door.ts';
import { makeNginxConfig } from '../../../proxy-daemon/nginx/config.ts';
import { directive, emit, entry, nginxText } from '../../../proxy-daemon/nginx/emit.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import type { LiveRegistration, RouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { checkNginx } from '../../helpers/check-nginx.ts';
import { nastyWorld } from '../../helpers/nasty.ts';
import { directivesOf } from '../../helpers/nginx-directives.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

function configOf(dir: string, table: RouteTable, door: FrontDoor = noDoor): string {
  const settings = {
    listen: { address: '127.0.0.1', port: 1025 },
    paths: gatewayPaths(dir),
    user: null,
    workers: 1,
    shutdownTimeoutMs: 1000,
    gzipStatic: true,
  };
  return emit(makeNginxConfig(table, settings, door));
}

function tableOf(desired: Environment | null, registrations: LiveRegistration[]): RouteTable {
  return makeRoutes({ desired, registrations, previous: emptyRouteTable, dead: new Set(), now: 0 });
}

const dns = (weights: [number, number]) =>
  sampleEnvironment([
    sampleService('dns', [sampleVersion('1', 2, weights[0]), sampleVersion('2', 1, weights[1])], { route: '/a/dns' }),
    sampleService('empty', [sampleVersion('1', 1)]),
    sampleService('site', [sampleVersion('1', 1)], { route: '/' }),
  ]);
const someInstances = [
  sampleRegistration('dns', '1', 1),
  sampleRegistration('dns', '1', 2, { address: 'fd00::2' }),
  sampleRegistration('dns', '2', 3),
  sampleRegistration('site', '1', 4),
];

test('upstreams carry the weights, IPv6 in brackets, and a service without instances has none', async (t) => {
  const text = configOf(await tempDir(t), tableOf(dns([80, 20]), someInstances));
  t.regex(
    text,
    /upstream mcp_dns \{\n {4}server 127\.1\.0\.1:8080 weight=2 .*;\n {4}server \[fd00::2\]:8080 weight=2 /,
  );
  t.regex(text, /server 127\.1\.0\.3:8080 weight=1 /);
  t.notRegex(text, /upstream mcp_empty/);
});

test('the same table gives the same text', async (t) => {
  const dir = await tempDir(t);
  const reversed = [...someInstances].reverse();
  t.is(configOf(dir, tableOf(dns([80, 20]), someInstances)), configOf(dir, tableOf(dns([80, 20]), reversed)));
});

test('what is kept from one table to the next changes nothing: the text is that of a table made from nothing', async (t) => {
  const dir = await tempDir(t);
  const pool = Array.from({ length: 8 }, (_, n) => sampleRegistration(`s${n % 4}`, n < 6 ? '1' : '2', n + 1));
  const desired = sampleEnvironment([
    sampleService('s0', [sampleVersion('1', 2, 80), sampleVersion('2', 1, 20)], { route: '/deep/s0' }),
    sampleService('s1', [sampleVersion('1', 2, 0)], { route: '/' }),
    sampleService('s2', [sampleVersion('1', 2)]),
  ]);
  const step = fc.record({
    declared: fc.boolean(),
    up: fc.subarray(pool),
    draining: fc.subarray(pool, { maxLength: 2 }),
    dead: fc.subarray(pool.map(({ path }) => path)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      let previous = emptyRouteTable;
      for (const [now, { declared, up, draining, dead }] of steps.entries()) {
        const leaving = draining.map((one) => ({ ...one, record: { ...one.record, state: 'draining' as const } }));
        const registrations = [...up.filter(({ path }) => leaving.every((one) => one.path !== path)), ...leaving];
        const input = { desired: declared ? desired : null, registrations, previous, dead: new Set(dead), now };
        const table = makeRoutes(input);
        t.deepEqual(table, makeRoutes(structuredClone(input)));
        t.is(configOf(dir, table), configOf(dir, structuredClone(table)));
        previous = table;
      }
    }),
    { numRuns: 150 },
  );
});

test('nginx accepts tables without routes, with a thousand, and with the longest names', async (t) => {
  const dir = await tempDir(t);
  const many = Array.from({ length: 1000 }, (_, n) => sampleRegistration(`service-${n}`, '1', n + 1));
  const longest = `/${Array.from({ length: 5 }, () => 'x'.repeat(40)).join('/')}`;
  const long = sampleEnvironment([sampleService('y'.repeat(40), [sampleVersion('1', 1)], { route: longest })]);
  for (const table of [
    emptyRouteTable,
    tableOf(null, many),
    tableOf(long, [sampleRegistration('y'.repeat(40), '1', 1)]),
  ]) {
    t.is(checkNginx(dir, configOf(dir, table)).problem, '');
  }
});

test('whatever the registry and the environment say, no directive appears that the template does not have', async (t) => {
  const dir = await tempDir(t);
  // With a log, versions reach the configuration too.
  const door = { ...noDoor, log: true };
  const allowed = directivesOf(configOf(dir, tableOf(dns([80, 20]), someInstances), door));
  let checked = 0;
  fc.assert(
    fc.property(nastyWorld, ({ desired, registrations }) => {
      const text = configOf(dir, tableOf(desired, registrations), door);
      for (const name of directivesOf(text)) t.true(allowed.has(name), name);
      checked += 1;
      if (checked % 10 === 0) t.deepEqual(checkNginx(dir, text), { problem: '', files: [join(dir, 'candidate.conf')] });
    }),
    { numRuns: 300 },
  );
});

test('text from outside can hold neither variables nor control characters; all else comes back as it was', (t) => {
  for (const evil of ['$uri', 'a\nb', 'a\u0000b', 'a\u007fb', 'x'.repeat(5000)]) {
    t.throws(() => emit([directive('return', 200, `{"${evil}"`)]), { code: 'GATEWAY_UNSAFE_VALUE' });
    t.throws(() => emit([entry(evil.padEnd(4500, evil), '1')]), { code: 'GATEWAY_UNSAFE_VALUE' });
    if (evil.startsWith('$')) t.throws(() => nginxText`http://${evil}`, { code: 'GATEWAY_UNSAFE_VALUE' });
  }
  t.is(emit([directive('return', 200, 'a "b" \\ ; } # {')]), 'return 200 "a \\"b\\" \\\\ ; } # {";\n');
  t.is(emit([entry('default', '1'), entry('~^x', '')]), '"\\\\default" 1;\n"\\\\~^x" "";\n');
});
