import test from 'ava';
import { renderMachine, renderMachines, renderPool } from '../../../mcp/cli/render-machines.ts';
import { endedView, machineViews } from '../../../mcp/view/machine-view.ts';
import { poolView } from '../../../mcp/view/pool-view.ts';
import type { EndedRecord } from '../../../registrar/records.ts';
import { judgeSelfTest } from '../../../vm-factory/pool/judge-self-test.ts';
import { selfTest } from '../../helpers/self-test.ts';
import { claimed, environment, machine, registryPart, service, version } from '../../helpers/world.ts';

const v1 = version('1.0.0', 1);
const times = { building: 1000, verifying: 1500, ready: 2000 };
const serving = claimed('aaaa1111', 'dns', v1);
const registry = registryPart(environment(service('dns', [v1])), {
  machines: [
    { ...serving, record: { ...serving.record, times: { ...times, claimed: 62_000, served: 62_600 } } },
    machine('bbbb2222', { times, changedAt: 2000, verification: judgeSelfTest(selfTest()) }),
    machine('cccc3333', { state: 'verifying', changedAt: 1500, times: { building: 1000, verifying: 1500 } }, 'testing'),
  ],
  pool: {
    record: {
      images: { process: { inARow: 3, lastReason: 'its self-test failed' } },
      starts: {},
      counted: [],
      claims: [],
      countedTo: 0,
      lifted: 0,
      paused: 2,
    },
    version: 1,
  },
});
const failed: EndedRecord = {
  machine: machine('dddd4444', {
    state: 'deleting',
    times: { building: 1000, verifying: 1200, deleting: 1300 },
    verification: judgeSelfTest(selfTest({ 'disk-content': 1 })),
  }).record,
  at: 1400,
  reason: 'its self-test failed: disk-content is 1 faults, not 0 faults',
};
const plain = { color: false, now: 70_000 };

test('each machine tells its story, those that ended too', (t) => {
  const text = renderMachines(machineViews(registry), [endedView(failed)], { ...plain, all: false });
  t.regex(
    text,
    /aaaa1111 +claimed .*dns@1\.0\.0 +serving +built in 500 ms, verified in 500 ms, claimed after 60 s, served within 600 ms/,
  );
  t.regex(text, /bbbb2222 +ready .*built in 500 ms, verified in 500 ms\n/);
  t.regex(text, /ENDED.*\ndddd4444 +69 s ago +built in 200 ms, gone in 100 ms +its self-test failed/);
});

test('one machine is shown with every stage and every check', (t) => {
  const [, ready] = machineViews(registry);
  const text = ready ? renderMachine(ready, plain) : '';
  t.regex(text, /^machine bbbb2222 {2}ready for 68 s/);
  t.regex(text, /1970-01-01 00:00:02\.000 {2}ready +now/);
  t.regex(text, /ok +disk-free +1 GiB +at least 8 MiB/);
  t.regex(renderMachine(endedView(failed), plain), /FAILED {2}disk-content +1 faults +at most 0 faults/);
});

test('the pool tells its size and why, what is on its way, what failed, times and the breaker', (t) => {
  const words = { waiting: [], alarms: [{ code: 'POOL_BREAKER', message: 'three failed' }] };
  const view = poolView(registry, words, [failed]);
  t.like(view, { target: 2, why: 'as declared', ready: 1, verifying: 1, building: 0, paused: 2, failed: 1 });
  t.deepEqual(view.medianMs, { built: 500, verified: 500, waited: 60_000 });
  t.like(view.breakers[0], { image: 'process', open: true, inARow: 3 });
  const text = renderPool(view, plain);
  t.regex(text, /1 of 2 ready, 0 building, 1 verifying, 2 paused, 1 failed/);
  t.regex(text, /breaker +OPEN +3 of image process failed in a row.*mcp pool retry/);
  t.regex(text, /FAILED +WHEN +IMAGE +WHY\ndddd4444/);
  t.true(text.length < 3000);
});
