import test from 'ava';
import { agentWord, type InstanceView } from '../../../registrar/agent/agent-records.ts';
import { drainedEverywhere } from '../../../registrar/agent/drain.ts';
import { goesFirst } from '../../../registrar/agent/restart-turn.ts';
import { defaultRetryRules, freshPace, nextTry } from '../../../registrar/agent/retry-pace.ts';
import { configEnvironment } from '../../../registrar/agent/service-config.ts';

const view = (phase: InstanceView['phase'], reason = ''): InstanceView => ({ phase, reason, starts: 1 });

test('only a serving instance is registered', (t) => {
  for (const phase of ['fetching', 'starting', 'checking', 'unhealthy', 'stopped', 'failed'] as const)
    for (const leaving of [null, 'because']) t.like(agentWord(view(phase), leaving, 'up'), { phase, registered: null });
  t.like(agentWord(view('serving'), null, null), { phase: 'serving', registered: 'up' });
  t.like(agentWord(null, null, 'up'), { phase: 'idle', registered: null });
});

test('a leaving instance is draining where it was known, and is not made known where it was not', (t) => {
  t.like(agentWord(view('serving'), 'why', 'up'), { phase: 'draining', reason: 'why', registered: 'draining' });
  t.like(agentWord(view('serving'), 'why', 'draining'), { registered: 'draining' });
  t.like(agentWord(view('serving'), 'why', null), { phase: 'draining', registered: null });
});

test('a long reason keeps its end, where the error is, and its first line, which says what happened', (t) => {
  const { reason } = agentWord(view('failed', `${'x'.repeat(5_000)}the end`), null, null);
  t.is(reason.length, 1_000);
  t.true(reason.endsWith('the end'));
  const first = 'exited with code 7; its last output:\n';
  const { ended = '' } = agentWord({ ...view('starting'), ended: `${first}${'x'.repeat(5_000)}the end` }, null, null);
  t.is(ended.length, 1_000);
  t.true(ended.startsWith(`${first}...xx`) && ended.endsWith('the end'), ended);
});

test('quick failures are retried ever more slowly, then called failed and tried once a minute', (t) => {
  let pace = freshPace;
  const seen = Array.from({ length: 7 }, () => {
    const next = nextTry(pace, 100, defaultRetryRules);
    pace = next.pace;
    return [next.delayMs, next.failed];
  });
  t.deepEqual(seen, [
    [500, false],
    [1_000, false],
    [2_000, false],
    [4_000, false],
    [60_000, true],
    [60_000, true],
    [60_000, true],
  ]);
});

test('a run that lasted makes the next failure a first one, a hopeless failure is slow at once', (t) => {
  t.deepEqual(nextTry({ quick: 9 }, defaultRetryRules.quickMs, defaultRetryRules), {
    pace: { quick: 1 },
    delayMs: 500,
    failed: false,
  });
  t.like(nextTry(freshPace, 0, defaultRetryRules, true), { delayMs: 60_000, failed: true });
});

test('a registration has drained when every gateway says so, and one that says less holds it up', (t) => {
  const mark = (asOf: number) => ({ drained: { generation: 1, asOf } });
  t.true(drainedEverywhere([], 5));
  t.true(drainedEverywhere([mark(5), mark(9)], 5));
  t.false(drainedEverywhere([mark(5), mark(4)], 5));
});

test('a peer goes first until it is registered anew, unless it serves nothing or another service', (t) => {
  const peer = { service: 'dns', phase: 'serving', registeredAt: 10 } as const;
  t.true(goesFirst(peer, 'dns', 50));
  t.true(goesFirst({ ...peer, phase: 'draining' }, 'dns', 50));
  t.true(goesFirst({ ...peer, phase: 'starting', registeredAt: null }, 'dns', 50));
  t.false(goesFirst({ ...peer, registeredAt: 51 }, 'dns', 50));
  t.false(goesFirst(peer, 'domains', 50));
  for (const phase of ['idle', 'failed', 'stopped'] as const)
    t.false(goesFirst({ ...peer, phase, registeredAt: null }, 'dns', 50));
});

test('configuration keys become upper snake case variables', (t) => {
  t.deepEqual(configEnvironment({ maxAge: 60, 'log-level': 'debug', DB_URL: 'x', 'a.b c': true }), {
    MCP_CONFIG_MAX_AGE: '60',
    MCP_CONFIG_LOG_LEVEL: 'debug',
    MCP_CONFIG_DB_URL: 'x',
    MCP_CONFIG_A_B_C: 'true',
  });
});
