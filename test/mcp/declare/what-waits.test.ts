/** What is said at once after `mcp scale --remove`, before any leader has looked. */
import test from 'ava';
import { whatWaits } from '../../../mcp/declare/what-waits.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

const v1 = version('1.0.0', 2);
const now = 1_000_000;

function world(destroyedAt: number[]) {
  const serving = (uuid: string, over: object = {}) => {
    const observed = claimed(uuid, 'dns', v1);
    return { ...observed, record: { ...observed.record, providerId: `p-${uuid}`, served: true, ...over } };
  };
  return registryPart(environment(service('dns', [v1])), {
    machines: [
      serving('a', { toLeave: { by: 'operator:ann', reason: '', at: now } }),
      serving('b'),
      machine('p1', { providerId: 'p-p1' }),
    ],
    registrations: [registration('a', 'dns', v1), registration('b', 'dns', v1)],
    budgets: { dns: { record: { destroyed: destroyedAt, generation: 4, used: 0 }, version: 1 } },
  });
}

test('an instance told to go waits for nothing where the budget is open', (t) => {
  t.deepEqual(whatWaits(world([]), 'dns', now), []);
  t.deepEqual(whatWaits(world([now - 61_000]), 'dns', now), []);
});

test('where one went just before, it is said what is waited for, and for how long', (t) => {
  t.deepEqual(whatWaits(world([now - 18_000]), 'dns', now), [
    'operator:ann told the instance on machine a to go: the destruction budget of dns is used up for now, one more may go in 42 s',
  ]);
});
