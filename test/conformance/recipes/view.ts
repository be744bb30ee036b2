/** What reading the whole registry promises on any registry. */
import type { TestFn } from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { publishDesired } from '../../../registrar/recipes/desired-document.ts';
import type { MachineRecord, RegistrationRecord } from '../../../registrar/records.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { readRegistry } from '../../../registrar/store/read-registry.ts';
import { readService } from '../../../registrar/store/read-service.ts';
import { sampleVersion } from '../../helpers/environment.ts';
import { clusterId, declaration, formatted, type OpenRegistry } from './shared.ts';

export function testView(test: TestFn, open: OpenRegistry): void {
  test('the view has all there is, with what is invalid left out and named', async (t) => {
    const { connect, client } = await formatted(t, open);
    const machine = await connect();
    await publishDesired(client, declaration('ann'));
    const claim = { service: 'dns', version: '1.2.0', digest: 'd', operation: 'o', at: 1 };
    await client.create(paths.machine('m-1'), encode(codecs.machine, ledger('m-1', { address: '127.0.0.9', claim })));
    await client.create(paths.machine('m-2'), encode(codecs.machine, ledger('m-2', { address: '127.0.0.8', claim })));
    await client.create(paths.machine('m-3'), encode(codecs.machine, ledger('m-3')));
    await client.create(paths.assignment('m-1'), encode(codecs.assignment, assignment));
    await machine.create(paths.agent('m-1'), encode(codecs.agent, agent('m-1')), { mode: 'ephemeral' });
    await machine.create(paths.agent('m-2'), 'nonsense', { mode: 'ephemeral' });
    await machine.create(paths.agent('m-3'), encode(codecs.agent, agent('m-1')), { mode: 'ephemeral' });
    await client.create(paths.service('dns'));
    await client.create(paths.version('dns', '1.2.0'));
    for (const uuid of ['m-1', 'm-2', 'alone']) {
      const data = JSON.stringify(registration(uuid, '127.0.0.9'));
      await machine.create(paths.registration('dns', '1.2.0', uuid), data, { mode: 'ephemeral' });
    }
    await client.create(paths.registration('dns', '1.2.0', 'stale'), '{}');
    await client.create(
      paths.config('dns'),
      encode(codecs.config, { service: 'dns', generation: 1, values: { a: 1 } }),
    );
    await client.create(paths.budget('dns'), encode(codecs.budget, { destroyed: [1], generation: 1, used: 0 }));
    const last = await machine.create('/events/e_', '', { mode: 'persistent-sequential' });

    const view = await readRegistry(client, { clusterId, allowLoopback: true });
    t.true(view.asOf >= last.stat.mzxid);
    t.is(view.clusterId, clusterId);
    t.is(view.epoch, 0);
    t.is(view.desired?.record.generation, 1);
    t.false(view.suspended.record.suspended);
    t.deepEqual(
      view.machines.map((one) => [one.record.uuid, one.assignment?.record.want, one.agent?.phase]),
      [
        ['m-1', 'run', 'serving'],
        ['m-2', undefined, undefined],
        ['m-3', undefined, undefined],
      ],
    );
    t.deepEqual(view.registrations.map((one) => one.record.machine).sort(), ['alone', 'm-1']);
    t.true(view.registrations.every((one) => one.mzxid > 0));
    t.deepEqual(view.rejected.map((one) => one.path).sort(), [
      paths.agent('m-2'),
      paths.agent('m-3'),
      paths.registration('dns', '1.2.0', 'm-2'),
      paths.registration('dns', '1.2.0', 'stale'),
    ]);
    const { machines, registrations, ...part } = await readService(client, 'dns');
    t.deepEqual(part, { epoch: view.epoch, declared: view.declared, rollouts: view.rollouts });
    t.deepEqual(
      [machines, registrations].flat().map(({ record }) => ('uuid' in record ? record.uuid : record.machine)),
      ['m-1', 'm-1'],
      'of one service: its machines that are registered',
    );
    t.deepEqual(view.configs.dns?.record?.values, { a: 1 });
    t.deepEqual(view.budgets.dns?.record.destroyed, [1]);
    t.deepEqual(view.gateways, []);
  });

  test('a damaged configuration, and a gateway that says nonsense, are named and hold up nothing else', async (t) => {
    const { connect, client } = await formatted(t, open);
    const gateway = await connect();
    await client.create(paths.config('dns'), 'nonsense');
    await client.create(paths.gateway('left'), 'nonsense');
    await gateway.create(paths.gateway('odd'), '{}', { mode: 'ephemeral' });
    const view = await readRegistry(client, { allowLoopback: true });
    t.deepEqual(view.configs.dns, { record: null, version: 0 });
    t.deepEqual(
      view.gateways.map(({ id, drained, holding }) => [id, drained.asOf, holding !== '']),
      [['odd', 0, true]],
      'a live one counts as one that has drained nothing, a persistent node is none',
    );
    t.deepEqual(view.rejected.map(({ path }) => path).sort(), [
      paths.config('dns'),
      paths.gateway('left'),
      paths.gateway('odd'),
    ]);
  });

  test('a ledger entry that is not one fails the whole view, by name', async (t) => {
    const { client } = await formatted(t, open);
    await client.create(paths.machine('m-1'), '{"uuid":"m-1"}');
    const view = readRegistry(client, { allowLoopback: true });
    await t.throwsAsync(view, { code: 'RECORD_INVALID', message: /\/machines\/m-1/ });
    await client.set(paths.machine('m-1'), encode(codecs.machine, ledger('m-2')));
    await t.throwsAsync(readRegistry(client, { allowLoopback: true }), { code: 'RECORD_INVALID', message: /m-2/ });
  });
}

function ledger(uuid: string, over: Partial<MachineRecord> = {}): MachineRecord {
  const state = over.claim ? 'claimed' : 'ready';
  return {
    uuid,
    provider: 'process',
    image: 'process',
    state,
    operation: 'o',
    epoch: 1,
    createdAt: 1,
    changedAt: 1,
    ...over,
  };
}

const assignment = {
  service: 'dns',
  version: sampleVersion(),
  onConfigChange: 'restart',
  drainTimeoutMs: 1000,
  stopTimeoutMs: 1000,
  want: 'run',
  operation: 'o',
  epoch: 1,
} as const;

function agent(machine: string) {
  return { machine, phase: 'serving', reason: '', at: 1, starts: 1 } as const;
}

function registration(machine: string, address: string): RegistrationRecord {
  return { schema: 1, service: 'dns', version: '1.2.0', machine, address, port: 8080, state: 'up', at: 1 };
}
