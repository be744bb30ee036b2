import test from 'ava';
import fc from 'fast-check';
import { closedBreaker, machineFailed } from '../../../vm-factory/pool/image-breaker.ts';
import {
  defaultPoolPolicy,
  type PoolInput,
  type PoolMachine,
  type PoolPlan,
  type PoolPolicy,
  planPool,
} from '../../../vm-factory/pool/pool-policy.ts';

let named = 0;
function machine(state: PoolMachine['state'], change: Partial<PoolMachine> = {}): PoolMachine {
  named += 1;
  return { uuid: `m${named}`, state, image: 'new', stateAgeMs: 0, ageMs: 0, ...change };
}

function plan(input: Partial<PoolInput>, policy: Partial<PoolPolicy> = {}): PoolPlan {
  const slowStart = { batch: 16, blockedUntil: 0, reason: '' };
  const defaults = {
    target: 3,
    image: 'new',
    machines: [],
    unmetClaims: 0,
    maxAgeMs: null,
    breaker: closedBreaker,
    limits: null,
    now: 1e6,
  };
  return planPool({ ...defaults, slowStart, ...input }, { ...defaultPoolPolicy, ...policy });
}

function retired(result: PoolPlan): string[] {
  return result.retire.map(({ uuid }) => uuid);
}

const proof = machine('claimed');

test('a full pool needs nothing', (t) => {
  const machines = [machine('ready'), machine('ready'), machine('verifying')];
  t.deepEqual(plan({ machines }), { create: 0, retire: [], waiting: [], alarms: [] });
});

test('what is missing is created: for claims that found nothing first, then for the pool', (t) => {
  t.is(plan({ machines: [proof, machine('ready')] }).create, 2);
  const waiting = plan({ machines: [proof, machine('building')], unmetClaims: 4 });
  t.is(waiting.create, 3);
  t.deepEqual(waiting.waiting, [
    { cause: 'refill-later', why: 'the refill of 3 waits until no claim waits for a machine any more' },
  ]);
});

test('claimed, draining and leaving machines are not of the pool', (t) => {
  const machines = [machine('claimed'), machine('draining'), machine('deleting')];
  const result = plan({ machines });
  t.is(result.create, 3);
  t.deepEqual(result.retire, []);
});

test('on a shared host few machines and services start at a time, and one is always on its way', (t) => {
  const proven = { machines: [proof], target: 30 };
  const create = (input: Partial<PoolInput>) => plan({ ...proven, ...input }, { sharedHostInFlight: 6 }).create;
  t.is(create({ onSharedHost: 0, unmetClaims: 30 }), 6);
  t.is(create({ onSharedHost: 2, unmetClaims: 30, starting: 3 }), 1);
  t.is(create({ onSharedHost: 4, unmetClaims: 30, starting: 3 }), 0);
  t.is(create({ onSharedHost: 0, unmetClaims: 30, starting: 9 }), 1, 'what does not come up holds up nobody else');
  t.is(create({ unmetClaims: 30, starting: 9 }), 16, "elsewhere machines are in nobody's way");
  const { waiting } = plan({ ...proven, onSharedHost: 2, unmetClaims: 30, starting: 4 });
  t.deepEqual(waiting[0], {
    cause: 'shared-host',
    why: '30 more machines are missing: the host has 6 machines and services to start already',
  });
});

test('slow start bounds a plan, and the rest says what it waits for', (t) => {
  const result = plan({ machines: [proof], target: 10, slowStart: { batch: 2, blockedUntil: 0, reason: '' } });
  t.is(result.create, 2);
  t.deepEqual(result.waiting, [
    { cause: 'slow-start', why: '8 more machines are missing: creations start slowly, 2 at a time now' },
  ]);
});

test('after a creation that failed nothing is created until its pause is over', (t) => {
  const slowStart = { batch: 1, blockedUntil: 1e6 + 2500, reason: 'the quota is used up' };
  const result = plan({ machines: [proof], slowStart });
  t.is(result.create, 0);
  t.is(result.waiting[0]?.cause, 'backoff');
  t.regex(result.waiting[0]?.why ?? '', /the quota is used up; the next creation is tried in 3 s/);
  t.is(plan({ machines: [proof], slowStart, now: slowStart.blockedUntil }).create, 1);
});

test('an image that never worked is tried with three machines at a time, however many are missing', (t) => {
  t.is(plan({ target: 10 }).create, 3);
  t.is(plan({ target: 10, machines: [machine('building'), machine('verifying')] }).create, 1);
  t.is(plan({ target: 10, machines: [machine('building'), machine('ready')] }).create, 8);
});

test('three machines of an image that failed in a row stop its refill with an alarm (faults 31 and 40)', (t) => {
  let breaker = closedBreaker;
  for (let n = 0; n < 3; n += 1) breaker = machineFailed(breaker, 'new', 'never joined', 1e6);
  const old = [machine('ready', { image: 'old' }), machine('ready', { image: 'old' })];
  const open = plan({ breaker, machines: [proof, ...old] });
  t.is(open.create, 0);
  t.deepEqual(open.retire, []);
  t.is(open.alarms[0]?.code, 'POOL_BREAKER');
  t.is(open.waiting[0]?.cause, 'breaker');
  t.regex(open.waiting[0]?.why ?? '', /never joined; one is tried in 300 s/);
  const later = 1e6 + defaultPoolPolicy.breakerCooldownMs;
  t.is(plan({ breaker, now: later }).create, 1);
  t.is(plan({ breaker, now: later, machines: [machine('building')] }).create, 0);
  t.is(plan({ breaker, image: 'other' }).create, 3);
});

test('failed machines are given up with their reason and replaced', (t) => {
  const failed = machine('verifying', { failure: 'its agent has not joined' });
  const result = plan({ machines: [proof, failed, machine('ready')] });
  t.deepEqual(result.retire, [{ uuid: failed.uuid, reason: 'its agent has not joined' }]);
  t.is(result.create, 2);
});

test('machines of an older image leave one by one as fresh ones are ready', (t) => {
  const old = [300, 200, 100].map((ageMs) => machine('ready', { image: 'old', ageMs }));
  const none = plan({ machines: old });
  t.is(none.create, 3);
  t.deepEqual(none.retire, []);
  const building = [machine('building'), machine('building'), machine('verifying')];
  t.deepEqual(plan({ machines: [...old, ...building] }).retire, []);
  const one = plan({ machines: [...old, machine('ready'), machine('verifying'), machine('verifying')] });
  t.deepEqual(retired(one), [old[0]?.uuid]);
  const all = plan({ machines: [...old, machine('ready'), machine('ready'), machine('ready')] });
  t.deepEqual(
    retired(all),
    old.map(({ uuid }) => uuid),
  );
});

test('a machine that is still building from an older image leaves at once', (t) => {
  const old = machine('building', { image: 'old' });
  t.deepEqual(retired(plan({ machines: [old] })), [old.uuid]);
});

test('ready machines over their age are replaced first and leave then', (t) => {
  const old = machine('ready', { ageMs: 5001 });
  const machines = [old, machine('ready', { ageMs: 5000 }), machine('ready')];
  const result = plan({ machines, maxAgeMs: 5000 });
  t.is(result.create, 1);
  t.deepEqual(result.retire, []);
  t.deepEqual(retired(plan({ machines: [...machines, machine('ready')], maxAgeMs: 5000 })), [old.uuid]);
});

test('of several ready machines over their age one at a time is replaced, the oldest first', (t) => {
  const old = [9000, 8000, 7000].map((ageMs) => machine('ready', { ageMs }));
  t.is(plan({ machines: old, maxAgeMs: 5000 }).create, 1);
  const replaced = plan({ machines: [...old, machine('ready')], maxAgeMs: 5000 });
  t.is(replaced.create, 0);
  t.deepEqual(retired(replaced), [old[0]?.uuid]);
});

test('a surplus leaves after its grace, oldest first, and never for what is only on its way', (t) => {
  const settled = [50_000, 40_000].map((ageMs) => machine('ready', { ageMs, stateAgeMs: 40_000 }));
  const young = [machine('ready', { stateAgeMs: 29_999 }), machine('building', { stateAgeMs: 1e6 })];
  const machines = [...settled, ...young];
  t.deepEqual(retired(plan({ target: 3, machines })), []);
  t.deepEqual(retired(plan({ target: 2, machines })), [settled[0]?.uuid]);
  t.deepEqual(
    retired(plan({ target: 0, machines })),
    settled.map(({ uuid }) => uuid),
  );
});

test('the quota bounds creation, with an alarm', (t) => {
  const result = plan({ machines: [proof], limits: { machines: { limit: 10, used: 9 } } });
  t.is(result.create, 1);
  t.is(result.alarms[0]?.code, 'POOL_QUOTA');
  t.is(result.waiting[0]?.cause, 'quota');
  t.regex(result.waiting[0]?.why ?? '', /quota of 10 machines leaves 1/);
});

test('where the quota is full of outdated machines, some make room', (t) => {
  const old = [machine('ready', { image: 'old', ageMs: 2 }), machine('ready', { image: 'old', ageMs: 1 })];
  const limits = { machines: { limit: 3, used: 3 } };
  const slowStart = { batch: 1, blockedUntil: 0, reason: '' };
  const result = plan({ target: 2, machines: [...old, proof], limits, slowStart });
  t.is(result.create, 0);
  t.deepEqual(retired(result), [old[0]?.uuid]);
});

const states = ['building', 'verifying', 'ready', 'claimed', 'draining', 'deleting'] as const;
const anyMachine = fc.record({
  state: fc.constantFrom(...states),
  image: fc.constantFrom('new', 'new', 'new', 'old'),
  stateAgeMs: fc.constantFrom(0, 10_000, 60_000),
  ageMs: fc.nat(100_000),
  failure: fc.option(fc.constant('failed'), { nil: undefined, freq: 6 }),
});
const anyInput = fc
  .record({
    target: fc.nat(12),
    unmetClaims: fc.nat(5),
    found: fc.array(anyMachine, { maxLength: 20 }),
    batch: fc.integer({ min: 1, max: 16 }),
    failures: fc.nat(4),
    limit: fc.option(fc.nat(25), { nil: null }),
    maxAgeMs: fc.option(fc.nat(100_000), { nil: null }),
  })
  .map(({ found, batch, failures, limit, maxAgeMs, ...rest }) => {
    const machines: PoolMachine[] = found.map((one, n) => ({ ...one, uuid: `m${n}` }));
    const breaker = new Map(failures > 0 ? [['new', { inARow: failures, lastAt: 0, lastReason: 'x' }]] : []);
    const limits = limit === null ? null : { machines: { limit, used: machines.length } };
    const slowStart = { batch, blockedUntil: 0, reason: '' };
    const input: PoolInput = { ...rest, maxAgeMs, machines, breaker, limits, slowStart, image: 'new', now: 1000 };
    return { input, policy: defaultPoolPolicy };
  });

test('no plan creates more than is missing, than slow start, breaker or quota allow; none is silent about it', (t) => {
  fc.assert(
    fc.property(anyInput, ({ input, policy }) => {
      const { create, waiting } = planPool(input, policy);
      const missing = missingOf(input);
      const later =
        input.unmetClaims > 0
          ? missingOf({ ...input, target: input.target + input.unmetClaims, unmetClaims: 0 }) - missing
          : 0;
      const { limit = Infinity, used = 0 } = input.limits?.machines ?? {};
      const open = (input.breaker.get('new')?.inARow ?? 0) >= policy.breakerFailures;
      const most = Math.min(missing, input.slowStart.batch, Math.max(0, limit - used), open ? 0 : Infinity);
      return create >= 0 && create <= most && (create === missing && later === 0) === (waiting.length === 0);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('no plan gives up a machine that is claimed or leaving, or one twice', (t) => {
  fc.assert(
    fc.property(anyInput, ({ input, policy }) => {
      const uuids = retired(planPool(input, policy));
      const pool = input.machines.filter(({ state }) => ['building', 'verifying', 'ready'].includes(state));
      return new Set(uuids).size === uuids.length && uuids.every((uuid) => pool.some((one) => one.uuid === uuid));
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('no plan gives up sound ready machines below what is wanted, unless the quota is full', (t) => {
  fc.assert(
    fc.property(anyInput, ({ input, policy }) => {
      fc.pre(input.limits === null || input.limits.machines.used < input.limits.machines.limit);
      const leaving = new Set(retired(planPool(input, policy)));
      const sound = input.machines.filter(({ state, failure }) => state === 'ready' && failure === undefined);
      const stay = sound.filter(({ uuid }) => !leaving.has(uuid)).length;
      return stay >= Math.min(sound.length, input.target + input.unmetClaims);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('followed round by round, with every machine becoming ready, the pool reaches its size and then rests', (t) => {
  fc.assert(
    fc.property(anyInput, ({ input }) => {
      const steady = { ...input, limits: null, breaker: closedBreaker, unmetClaims: 0 };
      let machines: PoolMachine[] = [...steady.machines];
      for (let round = 0; round < 20; round += 1) {
        const result = planPool({ ...steady, machines }, defaultPoolPolicy);
        const leaving = new Set(retired(result));
        const made = Array.from({ length: result.create }, (_, n) => machine('building', { uuid: `r${round}-${n}` }));
        machines = [...machines.filter(({ uuid }) => !leaving.has(uuid)).map(ripen), ...made];
      }
      const rest = planPool({ ...steady, machines }, defaultPoolPolicy);
      const ready = machines.filter(({ state }) => state === 'ready');
      return rest.create === 0 && rest.retire.length === 0 && ready.length === steady.target;
    }),
  );
  t.pass();
});

function ripen(one: PoolMachine): PoolMachine {
  const next = { building: 'verifying', verifying: 'ready' } as const;
  const state = one.state === 'building' || one.state === 'verifying' ? next[one.state] : one.state;
  return { ...one, state, stateAgeMs: state === one.state ? one.stateAgeMs + 60_000 : 0 };
}

/** Counted apart from the policy: what is lacking in sound machines of the right image, the oldest over age left out. */
function missingOf({ machines, image, maxAgeMs, target, unmetClaims }: PoolInput): number {
  const good = machines.filter(
    (one) => ['building', 'verifying', 'ready'].includes(one.state) && one.image === image && one.failure === undefined,
  );
  const tooOld = good.some(({ state, ageMs }) => state === 'ready' && maxAgeMs !== null && ageMs > maxAgeMs);
  const wanted = unmetClaims > 0 ? unmetClaims : target;
  return Math.max(0, wanted - good.length + (tooOld ? 1 : 0));
}
