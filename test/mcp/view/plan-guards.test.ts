/** The guards of `mcp plan`, each found by the planner itself as it plays the declaration through. */
import test from 'ava';
import { planEnvironment } from '../../../mcp/declare/plan-environment.ts';
import type { ObservedMachine } from '../../../mcp/plan/snapshot.ts';
import type { RegistryPart } from '../../../mcp/view/status-view.ts';
import type { FailureCount, MachineRecord, PoolRecord, ProviderRecord } from '../../../registrar/records.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

function guardsOf(wanted: Environment, world: Partial<RegistryPart>, provider: Partial<ProviderRecord> = {}) {
  const said = { name: 'fake', facts: {}, ...provider };
  const controller = { epoch: 1, leader: 'c', generation: 1, at: 0, waiting: [], alarms: [], provider: said };
  const registry = registryPart(world.declared?.record.environment ?? wanted, world);
  const asked = { environment: wanted, registry, controller, leading: true, ended: [], by: 'operator:ann', at: 10_000 };
  return planEnvironment(asked).guards;
}

const named = (names: string[], count: number) => Array.from({ length: count }, (_, at) => `${names[0]}${at}`);

function ready(count: number): ObservedMachine[] {
  return named(['p'], count).map((uuid) => machine(uuid, { providerId: `p-${uuid}` }));
}

const two = version('1.0.0', 2);
const dns = environment(service('dns', [two]));

test('print', (t) => {
  const served = (uuid: string, of = two, over: Partial<MachineRecord> = {}, phase: 'serving' | null = 'serving') => {
    const observed = claimed(uuid, 'dns', of, phase);
    return { ...observed, record: { ...observed.record, providerId: `p-${uuid}`, served: true, ...over } };
  };
  const word = { by: 'operator:ann', reason: '', at: 1 };
  const print = (name: string, all: unknown) => t.log(name, JSON.stringify(all, null, 1));
  print(
    'budget',
    guardsOf(dns, {
      machines: [served('a', two, { toLeave: word }), served('b', two, { toLeave: word }), ...ready(2)],
      registrations: ['a', 'b'].map((uuid) => registration(uuid, 'dns', two)),
    }),
  );
  print(
    'protected',
    guardsOf(environment(service('dns', [version('1.0.0', 1)])), {
      machines: [served('a', two, { protected: word }), served('b', two, { protected: word }), ...ready(2)],
      registrations: ['a', 'b'].map((uuid) => registration(uuid, 'dns', two)),
    }),
  );
  const many = environment(service('dns', [version('1.0.0', 20)]));
  print('shared', guardsOf(many, { machines: ready(2) }, { sharedHost: true }));
  const record = (over: Partial<PoolRecord>): PoolRecord => ({
    images: {},
    starts: {},
    counted: [],
    claims: [],
    countedTo: 0,
    lifted: 0,
    ...over,
  });
  const failures: FailureCount = { inARow: 3, lastReason: 'exited with code 3' };
  print(
    'breaker start',
    guardsOf(dns, {
      machines: ready(2),
      pool: { record: record({ starts: { 'digest-1.0.0': failures } }), version: 1 },
    }),
  );
  print(
    'breaker image',
    guardsOf(dns, { machines: [], pool: { record: record({ images: { process: failures } }), version: 1 } }),
  );
  const ten = version('1.0.0', 10);
  const all = named(['c'], 10);
  print(
    'mass',
    guardsOf(environment(service('dns', [ten])), {
      machines: [...all.map((uuid, at) => served(uuid, ten, {}, at < 5 ? 'serving' : null)), ...ready(6)],
      registrations: all.slice(0, 5).map((uuid) => registration(uuid, 'dns', ten)),
    }),
  );
  print('quota', guardsOf(many, { machines: ready(2) }, { machines: { limit: 10, others: 0 } }));
  print('quota ok', guardsOf(many, { machines: ready(2) }, { machines: { limit: 22, others: 0 } }));
  const after = environment(service('dns', [version('2.0.0', 2)], { rollout: { canary: 1 } }));
  print(
    'stuck',
    guardsOf(
      after,
      {
        ...registryPart(dns),
        machines: [served('a'), served('b'), ...ready(2)],
        registrations: ['a', 'b'].map((uuid) => registration(uuid, 'dns', two)),
      },
      { machines: { limit: 4, others: 0 } },
    ),
  );
  t.pass();
});
