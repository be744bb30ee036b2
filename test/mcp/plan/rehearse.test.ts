/** What a declaration leads to, as the planner itself plays it through. */
import test from 'ava';
import fc from 'fast-check';
import { type Measures, measuresOf } from '../../../mcp/plan/measures.ts';
import type { ProviderWords } from '../../../mcp/plan/rehearsal-world.ts';
import { rehearse } from '../../../mcp/plan/rehearse.ts';
import type { RegistryPart } from '../../../mcp/view/status-view.ts';
import type { RolloutRecord } from '../../../registrar/rollout-records.ts';
import type { Environment, Service } from '../../../specs/nouns.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

const measures: Measures = {
  build: { process: { ms: 700, of: 3 } },
  start: { dns: { ms: 400, of: 3 }, web: { ms: 400, of: 3 } },
  warm: {},
  drain: { dns: { ms: 200, of: 1 } },
  destroy: { process: { ms: 100, of: 1 } },
};
const nothing: Measures = { build: {}, start: {}, warm: {}, drain: {}, destroy: {} };

/** An instance of dns that serves. */
function serving(uuid: string, of: ReturnType<typeof version>, over: object = {}) {
  const observed = claimed(uuid, 'dns', of);
  return { ...observed, record: { ...observed.record, providerId: `p-${uuid}`, served: true, ...over } };
}

function ready(...uuids: string[]) {
  return uuids.map((uuid) => machine(uuid, { providerId: `p-${uuid}` }));
}

function play(
  declared: Environment,
  over: Partial<RegistryPart> = {},
  more: {
    begun?: RolloutRecord[];
    provider?: ProviderWords;
    measures?: Measures;
    allowance?: Record<string, number>;
  } = {},
) {
  const record = {
    generation: 5,
    author: 'operator:ann',
    reason: 'plan',
    at: 100_000,
    digest: 'd',
    allowance: more.allowance ?? {},
    environment: declared,
  };
  const registry = registryPart(environment(), over);
  return rehearse({
    registry,
    declared: record,
    begun: more.begun ?? [],
    provider: more.provider ?? {},
    measures: more.measures ?? measures,
  });
}

const v1 = version('1.0.0', 2);

test('what the pool has is claimed first, the rest is built, and the time is that of both', (t) => {
  const three = environment(service('dns', [version('1.0.0', 3)]));
  const played = play(three, { machines: ready('p1', 'p2') });
  t.deepEqual(played.tallies['dns@1.0.0'], { claim: 2, build: 1, drain: 0, destroy: 0 });
  t.deepEqual(played.stuck, []);
  t.true((played.tookMs ?? 0) >= 700 + 400 && (played.tookMs ?? 0) < 4_000, String(played.tookMs));
  // Three run, two more fill the pool again.
  t.is(played.peak.machines, 5);
  t.is(played.created, 3);
});

test('a new version serves before the old one drains, and the peak has both', (t) => {
  const machines = [serving('a', v1), serving('b', v1), ...ready('p1', 'p2')];
  const registrations = [registration('a', 'dns', v1), registration('b', 'dns', v1)];
  const played = play(
    environment(service('dns', [version('2.0.0', 2)])),
    { machines, registrations },
    { allowance: { dns: 2 } },
  );
  t.deepEqual(played.tallies['dns@2.0.0'], { claim: 2, build: 0, drain: 0, destroy: 0 });
  t.deepEqual(played.tallies['dns@1.0.0'], { claim: 0, build: 0, drain: 2, destroy: 2 });
  const order = played.steps.filter(({ what }) => what.startsWith('dns@')).map(({ kind, what }) => `${kind} ${what}`);
  t.true(order.indexOf('serve dns@2.0.0') < order.indexOf('drain dns@1.0.0'), order.join(', '));
  t.deepEqual(played.stuck, []);
});

test('what nobody measured gives an order and no time, and is named', (t) => {
  const played = play(environment(service('dns', [v1])), { machines: ready('p1', 'p2') }, { measures: nothing });
  t.is(played.tookMs, null);
  t.deepEqual(played.unmeasured, ['start of dns@1.0.0']);
  t.deepEqual(played.stuck, []);
  const built = play(environment(service('dns', [v1])), {}, { measures: { ...nothing, start: measures.start } });
  t.deepEqual(built.unmeasured, ['build of process']);
});

test('a quota that is too small leaves it stuck, with the reason', (t) => {
  const declared = environment(service('dns', [version('1.0.0', 5)]));
  const played = play(declared, {}, { provider: { machines: { limit: 4, others: 1 } } });
  t.is(played.peak.machines, 3);
  t.true(played.alarms.some(({ code }) => code === 'POOL_QUOTA'));
  t.true(played.stuck.some(({ why }) => why.includes('quota of 4')));
});

test('instances that go without anybody having given them up wait for the budget, and it says how long', (t) => {
  const [a, b] = ['a', 'b'].map((uuid) => serving(uuid, v1, { toLeave: { by: 'operator:ann', reason: '', at: 1 } }));
  const registrations = [registration('a', 'dns', v1), registration('b', 'dns', v1)];
  const machines = [a, b, ...ready('p1', 'p2')].filter((one) => one !== undefined);
  const played = play(environment(service('dns', [v1])), { machines, registrations });
  t.deepEqual(played.tallies['dns@1.0.0'], { claim: 2, build: 0, drain: 2, destroy: 2 });
  t.true((played.tookMs ?? 0) > 60_000, JSON.stringify(played.steps));
});

test('the brake is taken as off, and a protected instance holds for good', (t) => {
  const suspended = { record: { suspended: true, reason: 'maintenance', by: 'operator:ann', at: 1 }, version: 1 };
  const played = play(environment(service('dns', [v1])), { suspended, machines: ready('p1', 'p2') });
  t.is(played.tallies['dns@1.0.0']?.claim, 2);
  const word = { protected: { by: 'operator:ann', reason: '', at: 1 } };
  const held = play(
    environment(service('dns', [version('1.0.0', 1)])),
    {
      machines: [serving('a', v1, word), serving('b', v1, word), ...ready('p1', 'p2')],
      registrations: [registration('a', 'dns', v1), registration('b', 'dns', v1)],
    },
    { allowance: { dns: 1 } },
  );
  t.true(held.stuck.some(({ why }) => why.includes('protected')));
});

test('whatever is declared and there is, it ends, and counts what is missing and what is too many', (t) => {
  const count = fc.integer({ min: 0, max: 6 });
  fc.assert(
    fc.property(count, count, count, (wanted, current, pool) => {
      const declared: Service[] = wanted === 0 ? [] : [service('dns', [version('1.0.0', wanted)])];
      const old = version('1.0.0', current);
      const names = Array.from({ length: current }, (_, at) => `c${at}`);
      const played = play(
        environment(...declared),
        {
          machines: [
            ...names.map((uuid) => serving(uuid, old)),
            ...ready(...Array.from({ length: pool }, (_, at) => `p${at}`)),
          ],
          registrations: names.map((uuid) => registration(uuid, 'dns', old)),
        },
        { allowance: { dns: Math.max(0, current - wanted) } },
      );
      const { claim = 0, build = 0, drain = 0 } = played.tallies['dns@1.0.0'] ?? {};
      const isWhole = played.stuck.length === 0;
      return isWhole && claim + build === Math.max(0, wanted - current) && drain === Math.max(0, current - wanted);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('what leaves already is none of what declaring does', (t) => {
  const gone = serving('b', v1, { state: 'deleting', tombstone: { reason: 'x', operation: 'x', at: 1 } });
  const registrations = [registration('a', 'dns', v1)];
  const one = environment(service('dns', [version('1.0.0', 1)]));
  t.deepEqual(play(one, { machines: [serving('a', v1), gone], registrations }).tallies, {});
});

test('durations are medians of what was told, by image, by version and by service', (t) => {
  const one = (uuid: string, built: number, started: number) =>
    claimed(uuid, 'dns', v1).record && {
      ...claimed(uuid, 'dns', v1).record,
      times: { building: 0, ready: built, claimed: 5_000, served: 5_000 + started },
    };
  const gone = { ...one('d', 900, 100), times: { building: 0, draining: 10_000, deleting: 10_300 } };
  const found = measuresOf(
    [one('a', 500, 300), one('b', 700, 200), one('c', 900, 100)],
    [{ machine: gone, at: 10_350, reason: '' }],
  );
  t.deepEqual(found.build, { process: { ms: 700, of: 3 } });
  t.deepEqual(found.start, { 'dns@1.0.0': { ms: 200, of: 3 }, dns: { ms: 200, of: 3 } });
  t.deepEqual(found.drain, { dns: { ms: 300, of: 1 } });
  t.deepEqual(found.destroy, { process: { ms: 50, of: 1 } });
  t.deepEqual(measuresOf([{ ...one('a', 1, 1), times: { building: 9, ready: 1 } }], []).build, {});
});
