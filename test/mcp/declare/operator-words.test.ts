/** What operators say of one instance: that it stays, or that it goes. */
import test, { type ExecutionContext } from 'ava';
import { machineNamed } from '../../../mcp/declare/name-machine.ts';
import { setProtection, tellToGo } from '../../../mcp/declare/operator-words.ts';
import { instanceToRemove, removeInstance } from '../../../mcp/declare/remove-instance.ts';
import { startRollout } from '../../../mcp/rollout/start-rollout.ts';
import { paths } from '../../../registrar/layout.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import type { MachineRecord } from '../../../registrar/records.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { readRegistry } from '../../../registrar/store/read-registry.ts';
import type { McpError } from '../../../specs/errors.ts';
import { defaultRollout } from '../../../specs/rollout-settings.ts';
import { setUp } from '../control/registry-setup.ts';
import { service, version } from '../plan/world-builder.ts';

const v1 = version('1.0.0', 3);
const by = { author: 'operator:ann', reason: 'a core is taken from it', at: 7 };
const word = { by: by.author, reason: by.reason, at: by.at };

/** Four machines: three run dns, `web-1` runs web, `idle-1` nothing. */
async function running(t: ExecutionContext) {
  const setup = await setUp(t);
  await setup.declare([service('dns', [v1]), service('web', [version('1.0.0', 1)])]);
  const claim = (name: string) => ({ service: name, version: v1.version, digest: v1.digest, operation: 'o', at: 1 });
  for (const uuid of ['dns-1', 'dns-2', 'dns-3']) await setup.machine({ uuid, state: 'claimed', claim: claim('dns') });
  await setup.machine({ uuid: 'web-1', state: 'claimed', claim: claim('web') });
  await setup.machine({ uuid: 'idle-1' });
  const look = () => readRegistry(setup.client, { allowLoopback: true });
  const kinds = async () => (await readEvents(setup.client)).map(({ kind }) => kind);
  const remove = async (machine: string, replace: boolean) =>
    removeInstance(setup.client, await look(), { service: 'dns', machine, replace }, { ...by, confirmed: false });
  return { ...setup, look, kinds, remove };
}

test('protection is in the ledger, with who and why, and an event of its own; saying it twice changes nothing', async (t) => {
  const { client, ledger, kinds } = await running(t);
  t.true((await setProtection(client, 'dns-1', true, by)).changed);
  t.false((await setProtection(client, 'dns-1', true, { ...by, reason: 'again' })).changed);
  t.deepEqual((await ledger('dns-1'))?.protected, word);
  t.true((await setProtection(client, 'dns-1', false, by)).changed);
  t.is((await ledger('dns-1'))?.protected, undefined);
  t.deepEqual(
    (await kinds()).filter((kind) => kind.startsWith('machine.')),
    ['machine.protected', 'machine.unprotected'],
  );
  const said = (await readEvents(client)).filter(({ kind }) => kind.startsWith('machine.'));
  t.is(new Set(said.map(({ operation }) => operation)).size, 2, 'each is an operation of its own (P16)');
  t.true(said.every(({ epoch, operation }) => epoch !== undefined && operation !== undefined));
});

test('to protect one that was told to go takes that back', async (t) => {
  const { client, ledger } = await running(t);
  await tellToGo(client, 'dns-1', by);
  t.deepEqual((await ledger('dns-1'))?.toLeave, word);
  await setProtection(client, 'dns-1', true, by);
  t.is((await ledger('dns-1'))?.toLeave, undefined);
});

test('only what runs a service can be protected', async (t) => {
  const { client } = await running(t);
  await t.throwsAsync(setProtection(client, 'idle-1', true, by), { code: 'REFUSED_MACHINE', message: /is ready/ });
  await t.throwsAsync(setProtection(client, 'dns-9', true, by), { code: 'REFUSED_MACHINE', message: /is no more/ });
});

test('to remove one is a count of one less and the word to that machine, in one write', async (t) => {
  const { client, ledger, look, kinds, remove } = await running(t);
  const { machine, generation } = await remove('dns-2', false);
  t.deepEqual([machine, generation], ['dns-2', 2]);
  t.deepEqual((await ledger('dns-2'))?.toLeave, word);
  const record = (await look()).declared?.record;
  t.deepEqual(
    record?.environment.services[0]?.versions.map(({ count }) => count),
    [2],
  );
  t.deepEqual(record?.allowance, { dns: 1 }, 'the budget does not slow it');
  t.true((await kinds()).includes('machine.told-to-go'));
  await t.throwsAsync(remove('dns-2', false), { code: 'REFUSED_MACHINE', message: /told to go already/ });
  // Where the ledger's entry was changed since it was read, nothing is declared either.
  const seen = await look();
  const entry = (await ledger('dns-3')) as MachineRecord;
  await client.set(paths.machine('dns-3'), encode(codecs.machine, { ...entry, epoch: entry.epoch + 1 }), -1);
  const late = removeInstance(
    client,
    seen,
    { service: 'dns', machine: 'dns-3', replace: false },
    { ...by, confirmed: true },
  );
  await t.throwsAsync(late, { code: 'WRITE_CONFLICT' });
  t.is((await look()).declared?.record.generation, 2);
});

test('to replace one leaves the count as it is', async (t) => {
  const { ledger, look, remove } = await running(t);
  const { generation, diff } = await remove('dns-2', true);
  t.deepEqual([generation, diff.change, (await look()).declared?.record.generation], [1, 'same', 1]);
  t.deepEqual((await ledger('dns-2'))?.toLeave, word);
});

test('what can not be removed is refused with what to do', async (t) => {
  const { client, look } = await running(t);
  const registry = await look();
  const refused = (name: string, machine: string, code: string, says: RegExp, seen = registry) => {
    const error = t.throws<McpError>(() => instanceToRemove(seen, { service: name, machine }));
    t.is(error?.code, code);
    t.regex(`${error?.message} ${error?.hint}`, says);
  };
  refused('dsn', 'dns-1', 'USAGE_UNKNOWN_NAME', /did you mean "dns"/);
  refused('dns', 'dms-1', 'USAGE_UNKNOWN_MACHINE', /did you mean "dns-1"/);
  refused('dns', 'dns', 'USAGE_AMBIGUOUS_MACHINE', /begin with/);
  refused('dns', 'web-1', 'REFUSED_MACHINE', /mcp scale web --remove web-1/);
  refused('dns', 'idle-1', 'REFUSED_MACHINE', /runs no service: it is ready/);
  await setProtection(client, 'dns-1', true, by);
  refused('dns', 'dns-1', 'REFUSED_MACHINE', /mcp machines unprotect dns-1/, await look());
  const outdated = structuredClone(registry);
  for (const one of outdated.declared?.record.environment.services ?? [])
    one.versions = one.versions.map((own) => ({ ...own, digest: 'other' }));
  refused('dns', 'dns-1', 'REFUSED_MACHINE', /not declared any more/, outdated);
  const begun = startRollout({
    service: service('dns', [v1]),
    previous: null,
    kind: 'upgrade',
    to: [version('2.0.0', 1)],
    settings: defaultRollout,
    instances: [],
    operation: 'o',
    by: by.author,
    reason: '',
    at: 0,
  });
  const rolling = { ...registry, rollouts: { dns: { record: begun?.record as never, version: 0 } } };
  refused('dns', 'dns-1', 'REFUSED_ROLLOUT', /from 1\.0\.0 to 2\.0\.0/, rolling);
});

test('a machine is named by the beginning of its id', (t) => {
  const named = (id: string) => machineNamed(['0a1b', '0a2c', '0a2c'], (one) => one, id);
  t.is(named('0a1'), '0a1b');
  t.is(named('0a2'), '0a2c', 'one that is listed twice is one');
  t.throws(() => named('0a'), { code: 'USAGE_AMBIGUOUS_MACHINE' });
  t.throws(() => named(''), { code: 'USAGE_UNKNOWN_MACHINE' });
});
