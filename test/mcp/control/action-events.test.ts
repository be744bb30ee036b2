/** P16: what every step's event says: who, why, in which term, and what it belongs to. */
import test from 'ava';
import { eventOf } from '../../../mcp/control/action-events.ts';
import type { Action } from '../../../mcp/plan/plan.ts';
import { claimed, version } from '../../helpers/world.ts';
import { SmallService } from '../rollout/small-service.ts';

const v1 = version('1.0.0', 1);
const known = { uuid: 'a', providerId: 'p', operation: 'op', image: 'i', reason: 'because' };
const of = { service: 'dns', version: '1.0.0' };
const spent = { destroyed: [], generation: 1, used: 0 };
const { record } = new SmallService();
const said = { at: 1, by: 'controller', phase: 'rolling' as const, why: 'because' };

/** One of each kind; the compiler says which is missing. */
const actions: { [K in Action['kind']]: Extract<Action, { kind: K }> } = {
  create: { kind: 'create', ...known },
  note: { kind: 'note', ...known },
  confirm: { kind: 'confirm', uuid: 'a', reason: 'because' },
  advance: { kind: 'advance', uuid: 'a', to: 'ready', reason: 'because' },
  claim: { kind: 'claim', ...known, ...of },
  drain: { kind: 'drain', ...known, ...of },
  retire: { kind: 'retire', ...known, budget: 'dns', spent },
  destroy: { kind: 'destroy', uuid: 'a', providerId: 'p', reason: 'because' },
  condemn: { kind: 'condemn', ...known },
  adopt: { kind: 'adopt', ...known, budget: '_pool', spent },
  readmit: { kind: 'readmit', ...known, address: '', createdAt: 1, runs: { ...of, digest: 'd', port: 1 } },
  bury: { kind: 'bury', uuid: 'a', reason: 'because' },
  configure: { kind: 'configure', service: 'dns', reason: 'because' },
  roll: { kind: 'roll', ...of, operation: 'op', record, redeclare: null, said, reason: 'because' },
};

const facts = { actor: 'controller:c', epoch: 7, now: 5, machine: claimed('a', 'dns', v1), generation: 3 };

for (const action of Object.values(actions)) {
  test(`the event of ${action.kind} says who, why, in which epoch and of which operation`, (t) => {
    const event = eventOf(action, facts);
    if (action.kind === 'note') {
      t.is(event, null, 'it only writes down what the provider told');
      return;
    }
    t.like(event, { actor: 'controller:c', reason: 'because', epoch: 7, at: 5 });
    t.truthy(event?.operation);
    t.truthy(event?.message);
    const isOfPool = action.kind === 'create' || action.kind === 'adopt';
    if (!isOfPool) t.is(event?.service, 'dns');
  });
}

test('what completes an act belongs to it: a start to its claim, a burial to its tombstone', (t) => {
  const at = (machine: typeof facts.machine, action: Action) => eventOf(action, { ...facts, machine })?.operation;
  t.is(at(facts.machine, actions.confirm), 'claim-a');
  const tombstone = { reason: 'x', operation: 'grave', at: 1 };
  const dead = { ...facts.machine, record: { ...facts.machine.record, tombstone } };
  t.is(at(dead, actions.bury), 'grave');
  t.is(at(facts.machine, actions.advance), 'op-a');
  t.is(eventOf(actions.configure, { ...facts, machine: undefined })?.operation, 'generation-3');
});

test('a step of a rollout that changes only numbers is no event', (t) => {
  t.is(eventOf({ ...actions.roll, said: null }, facts), null);
});
