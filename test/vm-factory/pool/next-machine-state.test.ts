import test from 'ava';
import { defaultDeadlines, nextMachineState } from '../../../vm-factory/pool/next-machine-state.ts';
import { selfTest } from '../../helpers/self-test.ts';

const { buildMs, verifyMs } = defaultDeadlines;
const building = { uuid: 'm1', state: 'building' } as const;
const verifying = { uuid: 'm1', state: 'verifying' } as const;
const running = { state: 'running', address: '127.30.0.7' } as const;
const idle = { machine: 'm1', phase: 'idle', reason: '', selfTest: selfTest() } as const;

test('a machine that runs at an address goes on to verifying, however late', (t) => {
  t.like(nextMachineState(building, running, null, 0), { kind: 'advance', to: 'verifying' });
  t.like(nextMachineState(building, running, null, buildMs * 2), { kind: 'advance', to: 'verifying' });
});

test('a verifying machine is ready when its own agent is idle', (t) => {
  t.like(nextMachineState(verifying, running, idle, 0), { kind: 'advance', to: 'ready' });
  t.like(nextMachineState(verifying, running, { ...idle, phase: 'fetching' }, 0), { kind: 'wait' });
});

test('a machine that told no self-test is waited for, until its deadline', (t) => {
  const untested = { ...idle, selfTest: undefined };
  t.like(nextMachineState(verifying, running, untested, verifyMs - 1), { kind: 'wait' });
  t.is(nextMachineState(verifying, running, untested, verifyMs).kind, 'fail');
});

test('a machine whose self-test fails is given up, with what failed', (t) => {
  const bad = { ...idle, selfTest: selfTest({ 'disk-content': 1, clock: 60_000 }) };
  t.deepEqual(nextMachineState(verifying, running, bad, 0), {
    kind: 'fail',
    reason: 'its self-test failed: disk-content is 1 faults, not 0 faults; clock is 60000 ms, not 30000 ms',
  });
  const loose = { clockMs: 90_000 };
  const late = { ...idle, selfTest: selfTest({ clock: 60_000 }) };
  t.like(nextMachineState(verifying, running, late, 0, defaultDeadlines, loose), { kind: 'advance', to: 'ready' });
});

test('a machine that the provider does not list never becomes ready', (t) => {
  t.like(nextMachineState(verifying, null, idle, 0), { kind: 'wait', why: 'the provider does not list it' });
});

test('a guest that joins as somebody else fails', (t) => {
  t.deepEqual(nextMachineState(verifying, running, { ...idle, machine: 'm2' }, 0), {
    kind: 'fail',
    reason: 'its agent joined as m2',
  });
});

test('a guest that never joins fails at its deadline, not before', (t) => {
  t.is(nextMachineState(verifying, running, null, verifyMs - 1).kind, 'wait');
  t.deepEqual(nextMachineState(verifying, running, null, verifyMs), {
    kind: 'fail',
    reason: 'its agent has not joined, after 120 s of verifying',
  });
});

test('a machine that builds for ever fails at its deadline (fault 31)', (t) => {
  t.is(nextMachineState(building, { state: 'building' }, null, buildMs - 1).kind, 'wait');
  t.is(nextMachineState(building, { state: 'building' }, null, buildMs).kind, 'fail');
  t.is(nextMachineState(building, { state: 'running' }, null, buildMs).kind, 'fail');
  t.is(nextMachineState(building, null, null, buildMs).kind, 'fail');
});

test('a machine that the provider calls stopped or error fails at once', (t) => {
  for (const state of ['stopped', 'error'] as const) {
    t.is(nextMachineState(building, { state }, null, 0).kind, 'fail');
    t.is(nextMachineState(verifying, { state }, idle, 0).kind, 'fail');
  }
});

test('a machine whose state cannot be told neither advances nor fails, by any deadline (fault 34)', (t) => {
  t.is(nextMachineState(building, { state: 'unknown' }, null, buildMs * 10).kind, 'wait');
  t.is(nextMachineState(verifying, { state: 'unknown' }, idle, verifyMs * 10).kind, 'wait');
});

test('an agent that gave up fails its machine with its words', (t) => {
  const agent = { machine: 'm1', phase: 'failed', reason: 'disk full' } as const;
  t.deepEqual(nextMachineState(verifying, running, agent, 0), { kind: 'fail', reason: 'its agent failed: disk full' });
});

test('machines in the pool and beyond are settled', (t) => {
  for (const state of ['ready', 'claimed', 'draining', 'deleting'] as const) {
    t.is(nextMachineState({ uuid: 'm1', state }, { state: 'error' }, null, 1e9).kind, 'settled');
  }
});
