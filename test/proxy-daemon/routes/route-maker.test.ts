import test from 'ava';
import fc from 'fast-check';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { RegistrationIndex } from '../../../proxy-daemon/routes/registration-index.ts';
import { RouteMaker } from '../../../proxy-daemon/routes/route-maker.ts';
import type { LiveRegistration } from '../../../proxy-daemon/routes/route-table.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

/** The very array: another one might say something else. */
const noReleases: [] = [];

const declared = sampleEnvironment([
  sampleService('s0', [sampleVersion('1', 2, 80), sampleVersion('2', 1, 20)], { route: '/deep/s0' }),
  sampleService('s1', [sampleVersion('1', 2)], { route: '/s3' }),
  sampleService('s2', [sampleVersion('1', 2)]),
]);

test('a change of some services gives the same table as looking at everything', (t) => {
  const pool = Array.from({ length: 12 }, (_, n) => sampleRegistration(`s${n % 5}`, n < 8 ? '1' : '2', n + 1));
  const odd = { ...sampleRegistration('-', '1', 99), path: '/services/-/1/odd' };
  const step = fc.record({
    isDeclared: fc.constantFrom(true, true, true, false),
    add: fc.subarray([...pool, odd], { maxLength: 3 }),
    drain: fc.subarray(pool, { maxLength: 2 }),
    remove: fc.subarray(pool, { maxLength: 2 }),
    passes: fc.constantFrom(1, 1, 100, 20_000, 31_000, 601_000),
    dead: fc.subarray(
      pool.map(({ path }) => path),
      { maxLength: 1 },
    ),
  });
  let [alone, beside] = [0, 0];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const maker = new RouteMaker(emptyRouteTable);
      const present = new Map<string, LiveRegistration>();
      let previous = emptyRouteTable;
      let now = 0;
      let last: Omit<Parameters<typeof makeRoutes>[0], 'previous'> = {
        desired: null,
        registrations: [],
        dead: new Set(),
        now,
      };
      for (const [asOf, { isDeclared, add, drain, remove, dead, passes }] of steps.entries()) {
        now += passes;
        for (const one of add) present.set(one.path, one);
        for (const one of drain) {
          if (present.has(one.path)) present.set(one.path, { ...one, record: { ...one.record, state: 'draining' } });
        }
        for (const { path } of remove) present.delete(path);
        const touched = [...add, ...drain, ...remove].map(({ path }) => path.split('/')[2] ?? '');
        const common = { desired: isDeclared ? declared : null, dead: new Set(dead), asOf, now };
        const all = [...present.values()];
        if (maker.isSettled()) alone += 1;
        else if (!maker.isDue(now)) beside += 1;
        if (asOf > 0 && !maker.isDue(now)) {
          const later = makeRoutes({ ...last, now, previous });
          t.deepEqual({ ...later, known: previous.known }, previous, 'time alone changes nothing before it is due');
        }
        const table = maker.make({
          ...common,
          releases: noReleases,
          registrations: new RegistrationIndex(all),
          changed: asOf === 0 ? null : new Set(touched),
        });
        const whole = makeRoutes({ ...common, releases: [], registrations: all, previous });
        t.deepEqual(table, whole);
        previous = whole;
        last = { ...common, releases: [], registrations: all };
      }
    }),
    { numRuns: 300 },
  );
  t.true(alone > 200, `${alone} steps could be done alone`);
  t.true(beside > 100, `${beside} while others were missing`);
});

test('an untouched service keeps its very route', (t) => {
  const registrations = ['a', 'b', 'c'].map((service, n) => sampleRegistration(service, '1', n + 1));
  const maker = new RouteMaker(emptyRouteTable);
  const make = (all: LiveRegistration[], changed: Set<string> | null) =>
    maker.make({
      desired: null,
      dead: new Set(),
      asOf: 1,
      now: 1,
      releases: noReleases,
      registrations: new RegistrationIndex(all),
      changed,
    });
  const before = make(registrations, null);
  const after = make([...registrations, sampleRegistration('b', '1', 9)], new Set(['b']));
  t.is(after.routes[0], before.routes[0]);
  t.not(after.routes[1], before.routes[1]);
  t.is(after.routes[1]?.instances.length, 2);
  t.is(make([...registrations, sampleRegistration('b', '1', 9)], new Set()), after, 'nothing changed: the same table');
});

test('while an instance is missing, others change alone; whoever registers its endpoint takes its place', (t) => {
  const all = [1, 2, 3, 4].map((n) => sampleRegistration('a', '1', n));
  const index = new RegistrationIndex(all);
  const maker = new RouteMaker(emptyRouteTable);
  const make = (changed: Set<string> | null, now: number) =>
    maker.make({
      ...{ desired: null, dead: new Set<string>(), asOf: 1, now, releases: noReleases },
      ...{ registrations: index, changed },
    });
  make(null, 0);
  const gone = all[3] as LiveRegistration;
  index.delete('a', gone.path);
  t.deepEqual(
    make(new Set(['a']), 1).known.map(({ missingSince }) => missingSince),
    [null, null, null, 1],
  );
  t.false(maker.isSettled());
  t.false(maker.isDue(30_000));
  t.true(maker.isDue(30_001));
  const known = make(new Set(), 2).known;
  index.add(sampleRegistration('b', '1', 9));
  const after = make(new Set(['b']), 3);
  t.is(after.known[0], known[0]);
  t.is(after.known.length, 5);
  index.add(sampleRegistration('c', '1', 4));
  const taken = make(new Set(['c']), 4);
  t.false(taken.known.some(({ path }) => path === gone.path));
  t.true(maker.isSettled());
});
