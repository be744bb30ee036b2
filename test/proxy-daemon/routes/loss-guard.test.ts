import test from 'ava';
import fc from 'fast-check';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import type { LiveRegistration, RouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import type { ReleasesRecord } from '../../../registrar/records.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

const start = 1_700_000_000_000;
const four = [1, 2, 3, 4].map((n) => sampleRegistration('dns', '1', n));
const wantFour = sampleEnvironment([sampleService('dns', [sampleVersion('1', 4)])]);
const wantNone = sampleEnvironment([sampleService('dns', [sampleVersion('1', 0)])]);

/** Runs makeRoutes over readings of the registry, one after the other. */
function follow(
  ...readings: {
    see: LiveRegistration[];
    want?: Environment | null;
    at?: number;
    dead?: string[];
    asOf?: number;
    releases?: ReleasesRecord['releases'];
  }[]
): RouteTable {
  let table = emptyRouteTable;
  for (const { see, want = wantFour, at = 0, dead = [], asOf = 0, releases = [] } of readings) {
    table = makeRoutes({
      asOf,
      releases,
      desired: want,
      registrations: see,
      previous: table,
      dead: new Set(dead),
      now: start + at,
    });
  }
  return table;
}

const routed = (table: RouteTable): string[] =>
  table.routes.flatMap(({ instances }) => instances.filter(({ weight }) => weight > 0).map(({ machine }) => machine));
const draining = (registration: LiveRegistration): LiveRegistration => ({
  ...registration,
  record: { ...registration.record, state: 'draining' },
});

test('an empty registry does not empty the gateway, and the reason is told', (t) => {
  const table = follow({ see: four }, { see: [], at: 1000 });
  t.is(routed(table).length, 4);
  t.regex(table.holding, /dns: 4 of 4 instances vanished .* unannounced .* 4 kept/);
});

test('at most half of a service gone is believed at once', (t) => {
  t.is(routed(follow({ see: four }, { see: four.slice(0, 2) })).length, 2);
  t.is(routed(follow({ see: four }, { see: four.slice(0, 1) })).length, 4);
});

test('losses that trickle in add up: those believed before come back when it turns out to be a mass loss', (t) => {
  const table = follow(
    { see: four },
    { see: four.slice(1), at: 1 },
    { see: four.slice(2), at: 9000 },
    { see: four.slice(3), at: 18_000 },
  );
  t.is(routed(table).length, 4);
});

test('a single loss is forgotten after a while and no longer counts towards a mass loss', (t) => {
  const table = follow({ see: four }, { see: four.slice(1), at: 1 }, { see: four.slice(1), at: 40_000 });
  t.is(table.known.length, 3);
});

test('an operator lets go of what is missing, of one service or of all, and of nothing that is lost later', (t) => {
  const release = (service: string | null, asOf: number) => [{ service, asOf, by: 'operator:ann', reason: '', at: 0 }];
  const see = four.slice(0, 1);
  const held = { see, asOf: 20 };
  t.is(routed(follow({ see: four, asOf: 10 }, held)).length, 4);
  for (const service of ['dns', null]) {
    const table = follow({ see: four, asOf: 10 }, held, { see, asOf: 30, releases: release(service, 25) });
    t.deepEqual([routed(table), table.holding], [['machine-0001'], '']);
  }
  t.is(routed(follow({ see: four, asOf: 10 }, held, { see, asOf: 30, releases: release('mail', 25) })).length, 4);
  t.is(routed(follow({ see: four, asOf: 10 }, { see, asOf: 40, releases: release(null, 25) })).length, 4);
});

test('held instances that do not answer a probe are dropped, the others stay', (t) => {
  const dead = four.slice(0, 3).map(({ path }) => path);
  const table = follow({ see: four }, { see: [] }, { see: [], dead });
  t.deepEqual(routed(table), ['machine-0004']);
  t.regex(table.holding, /1 kept/);
});

test('the hold ends by itself when all the missing are found dead', (t) => {
  const table = follow({ see: four }, { see: [] }, { see: [], dead: four.map(({ path }) => path) });
  t.deepEqual(routed(table), []);
  t.is(table.holding, '');
});

test('the hold ends by itself when the registry recovers', (t) => {
  const table = follow({ see: four }, { see: [] }, { see: four, at: 5000 });
  t.is(table.holding, '');
  t.is(routed(table).length, 4);
});

test('the hold is bounded while others are registered, unbounded while the registry is empty', (t) => {
  const other = sampleRegistration('mail', '1', 9);
  const bounded = follow({ see: [...four, other] }, { see: [other] }, { see: [other], at: 700_000 });
  t.deepEqual(routed(bounded), ['machine-0009']);
  const unbounded = follow({ see: four }, { see: [] }, { see: [], at: 86_400_000 });
  t.is(routed(unbounded).length, 4);
});

test('announced leaving is immediate, even of all at once', (t) => {
  t.is(routed(follow({ see: four }, { see: four.map(draining) })).length, 0);
  const table = follow({ see: four }, { see: four.map(draining) }, { see: [] });
  t.is(routed(table).length, 0);
  t.is(table.holding, '');
});

test('scaling to zero in the environment is explicit: nothing is held', (t) => {
  const table = follow({ see: four }, { see: [], want: wantNone });
  t.is(routed(table).length, 0);
  t.is(table.holding, '');
});

test('a smaller count announces as many losses, no more', (t) => {
  const wantTwo = sampleEnvironment([sampleService('dns', [sampleVersion('1', 2)])]);
  t.is(routed(follow({ see: four }, { see: four.slice(0, 2), want: wantTwo })).length, 2);
  const other = sampleRegistration('mail', '1', 9);
  const all = follow({ see: [...four, other] }, { see: [other], want: wantTwo });
  t.is(routed(all).filter((machine) => machine !== 'machine-0009').length, 2);
});

test('a service taken out of the environment goes at once', (t) => {
  const other = sampleRegistration('mail', '1', 9);
  const table = follow({ see: [...four, other] }, { see: [other], want: sampleEnvironment([]) });
  t.deepEqual(routed(table), ['machine-0009']);
});

test('an old version that a rollout is removing is still held when the whole registry goes empty', (t) => {
  const next = sampleEnvironment([sampleService('dns', [sampleVersion('2', 4)])]);
  t.is(routed(follow({ see: four, want: next }, { see: [], want: next })).length, 4);
});

test('an instance that registered anew under another name replaces its old self', (t) => {
  const again = four.map((one, index) => sampleRegistration('dns', '1', index + 11, { address: one.record.address }));
  const table = follow({ see: four }, { see: again });
  t.is(routed(table).length, 4);
  t.is(table.holding, '');
});

test('a held instance whose address another service has taken over is dropped', (t) => {
  const thief = sampleRegistration('mail', '1', 9, { address: '127.1.0.1' });
  const table = follow({ see: four }, { see: [thief] });
  t.deepEqual(routed(table).sort(), ['machine-0002', 'machine-0003', 'machine-0004', 'machine-0009']);
});

test('whatever vanishes unannounced: never are more than half of the live ones dropped unless probed dead', (t) => {
  const keep = fc.array(fc.subarray(four, { minLength: 0 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(keep, (readings) => {
      const table = follow({ see: four }, ...readings.map((see, index) => ({ see, at: index * 1000 })));
      t.true(routed(table).length >= 2);
      const registered = readings.at(-1) ?? [];
      for (const { record } of registered) t.true(routed(table).includes(record.machine));
    }),
  );
});
