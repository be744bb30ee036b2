import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readStartTime } from '../../../registrar/process-identity.ts';
import { mainPid, nodeAgent, pidsOf, processBench, testBlock, testCluster } from '../../helpers/process-machines.ts';
import { startSleeper } from '../../helpers/sleeper.ts';
import { until } from '../../helpers/until.ts';

function request(uuid: string = randomUUID()) {
  return { uuid, operation: `op-${uuid}`, clusterId: testCluster, image: 'process', registry: '127.0.0.1:2181/mcp' };
}

/** A machine's folder as a crash left it: machine.json of a maker that is dead, or of this process. */
function plantHalfMade(dir: string, asked: ReturnType<typeof request>, maker: 'dead' | 'alive') {
  const folder = join(dir, 'machines', asked.uuid);
  mkdirSync(folder, { recursive: true });
  const startTime = maker === 'alive' ? readStartTime(process.pid) : 1;
  const machine = { ...asked, createdAt: 1, maker: { pid: process.pid, startTime } };
  writeFileSync(join(folder, 'machine.json'), JSON.stringify(machine));
  return folder;
}

test.serial('a machine gets its configuration, its mark and a console that outlives us', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open({ agentCommand: nodeAgent(), sessionTimeoutMs: 7000 });
  const asked = request();
  const { address } = await provider.create(asked);
  const console = join(dir, 'machines', asked.uuid, 'console.log');
  const text = await until('the agent spoke', () => {
    const said = readFileSync(console, 'utf8');
    return said.includes('agent up') && said;
  });
  const config = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1));
  t.deepEqual(config, {
    uuid: asked.uuid,
    address,
    registry: asked.registry,
    clusterId: testCluster,
    dir: join(dir, 'machines', asked.uuid, 'work'),
    sessionTimeoutMs: 7000,
  });
  t.true(existsSync(config.dir));
  t.deepEqual(pidsOf(asked.uuid), [mainPid(dir, asked.uuid)]);
});

for (const [what, word] of [
  ['in its group', '--child'],
  ['in a session of its own', '--escape'],
] as const) {
  test.serial(`when the main process dies, what it left ${what} dies too, without a list`, async (t) => {
    const { dir, open } = await processBench(t);
    const provider = open({ agentCommand: nodeAgent(word) });
    const asked = request();
    await provider.create(asked);
    await until('the child runs', () => pidsOf(asked.uuid).length === 2);
    process.kill(mainPid(dir, asked.uuid), 'SIGKILL');
    await until('nothing of it runs', () => pidsOf(asked.uuid).length === 0);
    t.is((await provider.find(asked.operation))?.state, 'stopped');
  });

  test.serial(`destroying ends what a machine started ${what}`, async (t) => {
    const { open } = await processBench(t);
    const provider = open({ agentCommand: nodeAgent(word) });
    const asked = request();
    const machine = await provider.create(asked);
    await until('the child runs', () => pidsOf(asked.uuid).length === 2);
    await provider.destroy(machine);
    t.deepEqual(pidsOf(asked.uuid), []);
  });
}

test.serial('a provider that adopted a machine hints at its death within half a second', async (t) => {
  const { dir, open } = await processBench(t);
  const asked = request();
  const maker = open();
  await maker.create(asked);
  await maker.close();
  const adopter = open();
  const heard: number[] = [];
  adopter.events((uuid) => uuid === asked.uuid && heard.push(performance.now()));
  await adopter.list();
  const killedAt = performance.now();
  process.kill(mainPid(dir, asked.uuid), 'SIGKILL');
  await until('it was heard', () => heard.length > 0);
  t.true((heard[0] ?? 0) - killedAt < 500);
});

test.serial('a process that merely has the pid of a dead machine is never killed', async (t) => {
  const { dir, open } = await processBench(t);
  const bystander = startSleeper(t, { detached: true });
  const asked = request();
  const folder = plantHalfMade(dir, asked, 'dead');
  symlinkSync(`${bystander.pid}:${(readStartTime(bystander.pid) ?? 0) - 1}`, join(folder, 'identity'));
  const provider = open();
  const machine = await provider.find(asked.operation);
  t.is(machine?.state, 'stopped');
  if (machine) await provider.destroy(machine);
  t.not(readStartTime(bystander.pid), null);
  t.deepEqual(await provider.list(), []);
});

test.serial('a half-made machine is building while its maker lives and stopped when nobody is at it', async (t) => {
  const { dir, open } = await processBench(t);
  const [living, orphan] = [request(), request()];
  plantHalfMade(dir, living, 'alive');
  plantHalfMade(dir, orphan, 'dead');
  const provider = open();
  t.is((await provider.find(living.operation))?.state, 'building');
  t.is((await provider.find(orphan.operation))?.state, 'stopped');
});

test.serial(
  'a create with the same operation completes a half-made machine, at the address it already has',
  async (t) => {
    const { dir, open } = await processBench(t);
    const asked = request();
    const folder = plantHalfMade(dir, asked, 'dead');
    symlinkSync('127.77.7.7', join(folder, 'address'));
    const machine = await open().create(asked);
    t.is(machine.state, 'running');
    t.is(machine.address, '127.77.7.7');
    t.is(machine.createdAt, 1);
    t.is(await until('its agent runs', () => pidsOf(asked.uuid).length), 1);
  },
);

test.serial('a half-made machine is destroyed like any other', async (t) => {
  const { dir, open } = await processBench(t);
  const asked = request();
  plantHalfMade(dir, asked, 'dead');
  const provider = open();
  await provider.destroy({ uuid: asked.uuid, providerId: `process-${asked.uuid}` });
  t.deepEqual(await provider.list(), []);
});

test.serial('creations of one machine at once, from two providers, start one process', async (t) => {
  const { dir, open } = await processBench(t);
  const providers = [open(), open()];
  const asked = request();
  await Promise.all([...providers, ...providers].map((provider) => provider.create(asked)));
  await until('one process is left', () => pidsOf(asked.uuid).length === 1);
  t.deepEqual(pidsOf(asked.uuid), [mainPid(dir, asked.uuid)]);
  t.is(readdirSync(join(dir, 'addresses')).flatMap((name) => readdirSync(join(dir, 'addresses', name))).length, 1);
});

test.serial('a machine that is destroyed while it starts never runs', async (t) => {
  const { open } = await processBench(t);
  const [maker, destroyer] = [open(), open()];
  for (let round = 0; round < 8; round += 1) {
    const asked = request();
    const creating = maker.create(asked).catch((error: unknown) => error);
    await until('it is listed', async () => (await destroyer.find(asked.operation)) !== null);
    await destroyer.destroy({ uuid: asked.uuid, providerId: `process-${asked.uuid}` });
    await creating;
    await until('nothing of it runs', () => pidsOf(asked.uuid).length === 0);
    t.is(await destroyer.find(asked.operation), null);
  }
});

test.serial('a missing folder fails the list: it is not an empty world', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open();
  rmSync(join(dir, 'machines'), { recursive: true });
  await t.throwsAsync(provider.list(), { code: 'PROVIDER_UNAVAILABLE' });
  await t.throwsAsync(provider.find('any'), { code: 'PROVIDER_UNAVAILABLE' });
});

test.serial('a machine whose record is spoiled is unknown, others are listed, and nothing is done to it', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open();
  const [spoiled, sound] = [request(), request()];
  for (const asked of [spoiled, sound]) await provider.create(asked);
  const record = join(dir, 'machines', spoiled.uuid, 'machine.json');
  const before = readFileSync(record);
  writeFileSync(record, '{"uuid":');
  const states = new Map((await provider.list()).map(({ uuid, state }) => [uuid, state]));
  t.is(states.get(spoiled.uuid), 'unknown');
  t.is(states.get(sound.uuid), 'running');
  const pair = { uuid: spoiled.uuid, providerId: `process-${spoiled.uuid}` };
  await t.throwsAsync(provider.destroy(pair), { code: 'PROVIDER_REFUSED' });
  t.is(pidsOf(spoiled.uuid).length, 1);
  writeFileSync(record, before);
});

test.serial('machines of another cluster in the same folder are neither listed nor destroyed', async (t) => {
  const { open } = await processBench(t);
  const [ours, theirs] = [open(), open({ clusterId: 'other' })];
  const machine = await theirs.create({ ...request(), clusterId: 'other' });
  t.deepEqual(await ours.list(), []);
  await t.throwsAsync(ours.destroy(machine), { code: 'PROVIDER_REFUSED' });
  t.is((await theirs.list())[0]?.state, 'running');
  await theirs.destroy(machine);
});

test.serial('an agent that cannot be started makes a stopped machine whose console says why', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open({ agentCommand: ['/no/such/agent'] });
  const asked = request();
  await provider.create(asked);
  await until('it is stopped', async () => (await provider.find(asked.operation))?.state === 'stopped');
  t.regex(readFileSync(join(dir, 'machines', asked.uuid, 'console.log'), 'utf8'), /\/no\/such\/agent.*not found/);
});

test.serial('consoles of destroyed machines are kept, the last twenty', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open();
  const graveyard = join(dir, 'graveyard');
  for (let n = 0; n < 25; n += 1) writeFileSync(join(graveyard, `${1000 + n}-old.log`), '');
  const machine = await provider.create(request());
  await provider.destroy(machine);
  const graves = readdirSync(graveyard);
  t.is(graves.length, 20);
  t.true(graves.some((name) => name.includes(machine.uuid)));
});

test.serial('the quota holds among creations asked for at once', async (t) => {
  const { open } = await processBench(t);
  const provider = open({ maxMachines: 2 });
  const made = await Promise.allSettled(Array.from({ length: 5 }, () => provider.create(request())));
  t.is(made.filter(({ status }) => status === 'fulfilled').length, 2);
  t.is((await provider.list()).length, 2);
});

test.serial('an id that would leave the folder is refused', async (t) => {
  const { open } = await processBench(t);
  const provider = open();
  await t.throwsAsync(provider.create({ ...request(), uuid: '../x' }), { code: 'PROVIDER_REFUSED' });
  await t.throwsAsync(provider.destroy({ uuid: '..', providerId: 'process-..' }), { code: 'PROVIDER_REFUSED' });
  await t.throwsAsync(provider.create({ ...request(), uuid: '' }), { code: 'PROVIDER_REFUSED' });
});

test.serial('a create that fails leaves no machine', async (t) => {
  const { dir, open } = await processBench(t);
  const provider = open();
  // All addresses are taken, which comes out only after the machine's folder is there.
  const addresses = join(dir, 'addresses');
  for (let host = 1; host <= 254; host += 1) {
    mkdirSync(join(addresses, `${testBlock}.${host}`, 'taken'), { recursive: true });
    mkdirSync(join(dir, 'machines', 'taken'), { recursive: true });
  }
  await t.throwsAsync(provider.create(request()), { code: 'PROVIDER_REFUSED', message: /addresses/ });
  t.deepEqual(readdirSync(join(dir, 'machines')), ['taken']);
  t.deepEqual(readdirSync(join(dir, 'staging')), []);
});
