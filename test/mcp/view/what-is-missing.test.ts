import test from 'ava';
import { statusView } from '../../../mcp/view/status-view.ts';
import { whatIsMissing } from '../../../mcp/view/what-is-missing.ts';
import type { WaitingRecord } from '../../../registrar/status-records.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

const two = version('1.0.0', 2);
const dns = environment(service('dns', [two]));

function missing(uuids: string[], waiting: WaitingRecord[] = []) {
  const registry = registryPart(dns, {
    machines: [...uuids.map((uuid) => claimed(uuid, 'dns', two)), machine('p1'), machine('p2')],
    registrations: uuids.map((uuid) => registration(uuid, 'dns', two)),
  });
  return whatIsMissing(statusView(registry, { leader: 'c', waiting, alarms: [] }));
}

test('of an ordinary start only the counts are told', (t) => {
  const starts = { what: 'dns@1.0.0', service: 'dns', cause: 'starting', why: '1 of 2 serve; 1 on their way' } as const;
  t.is(missing(['a'], [starts]), 'dns 1/2, pool 2/2 ready, 0 building');
});

test('where more serve than are declared it is said how many are to leave, and what they wait for', (t) => {
  const why = '2 to go: the destruction budget of dns is used up for now, one more may go in 42 s';
  const waits = { what: 'dns', service: 'dns', cause: 'budget', why } as const;
  t.is(missing(['a', 'b', 'c', 'd'], [waits]), `2 of dns to leave, dns waits: ${why}, pool 2/2 ready, 0 building`);
});

test('machines of a registry that is gone are told once, with how many more', (t) => {
  const lost = (uuid: string): WaitingRecord => ({
    what: `machine ${uuid}`,
    cause: 'lost-ledger',
    why: 'is not in the ledger; it enters it again in 39 s',
  });
  t.is(
    missing([], [lost('a'), lost('b'), lost('c')]),
    'dns 0/2, machine a waits: is not in the ledger; it enters it again in 39 s (and 2 more like it), pool 2/2 ready, 0 building',
  );
});
