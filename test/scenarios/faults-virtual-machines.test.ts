/** Controllers of real virtual machines and what befalls both: hangs, ports in use, guests that never come, kills, pauses. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'ava';
import { forgiveFailures } from '../../mcp/plan/pool-record.ts';
import { paths } from '../../registrar/layout.ts';
import { readStartTime, standsStill } from '../../registrar/process-identity.ts';
import { codecs, decode, encode } from '../../registrar/store/codecs.ts';
import { freePort } from '../helpers/free-port.ts';
import { registryForMachines } from '../helpers/machine-registry.ts';
import { mainPid } from '../helpers/process-machines.ts';
import { noQemu, qemusBelow } from '../helpers/qemu-machines.ts';
import { type ChildController, hastyPolicy, patiently, vmCluster } from '../helpers/vm-cluster.ts';
import type { TestZooKeeper } from '../helpers/zookeeper.ts';

let server: () => TestZooKeeper;

if (noQemu) test.skip(`faults of virtual machines and their controllers: not run, ${noQemu}`, () => {});
else {
  server = registryForMachines(test);

  // Two minutes long; the parts of it that need no whole environment are in vm-faults.test.ts.
  const long = process.env.MCP_ALL === '1' ? test.serial : test.serial.skip;
  long(
    'a machine whose QEMU hangs is replaced and ended; one whose port is in use tells, and another takes over',
    async (t) => {
      t.timeout(600_000);
      const cluster = await vmCluster(t, server().connectString, 'hangs');
      const port = await freePort();
      const policy = hastyPolicy();
      await cluster.declare(1, [cluster.service(port, 1)]);
      cluster.lead('c1', policy);
      const servedBy = (...not: string[]) =>
        patiently('another serves', async () =>
          (await cluster.serving()).find(({ machine }) => !not.includes(machine)),
        );
      const first = (await servedBy()).machine;
      await cluster.settled('claimed', 'ready');

      const hung = mainPid(cluster.dir, first);
      process.kill(hung, 'SIGSTOP');
      const second = await servedBy(first);
      t.is(await (await fetch(`http://${second.address}:${port}/`)).text(), second.machine);
      t.not(readStartTime(hung), null, 'it might come back');
      policy.startDeadlineMs = 1;
      await patiently('it is ended', () => readStartTime(hung) === null);
      policy.startDeadlineMs = hastyPolicy().startDeadlineMs;
      const [ready] = (await cluster.settled('claimed', 'ready')).filter(({ state }) => state === 'ready');
      const story = JSON.parse((await cluster.mcp('machines', first, '--json')).stdout);
      t.is(story.state, 'ended');
      t.regex(
        story.reason,
        /^not seen again within .*\(no agent; its QEMU process was stopped by a signal\)$|^destroyed/,
      );
      const told = (await cluster.events()).filter(({ machine }) => machine === first);
      t.deepEqual(told.map(({ kind }) => kind).slice(-3), ['machine.retired', 'machine.destroying', 'machine.gone']);
      t.regex(told.at(-3)?.reason ?? '', /its QEMU process was stopped by a signal/);

      const stranger = createServer();
      stranger.listen(port, ready?.address);
      await once(stranger, 'listening');
      t.teardown(() => void stranger.close());
      await cluster.declare(1, [cluster.service(port, 2)]);
      const address = `${ready?.address}:${port}`;
      await patiently('its agent tells of the port', async () =>
        (await cluster.view()).machines.some(({ agent }) => agent?.reason.includes(address)),
      );
      // While its agent tries once more there is nothing to tell for a moment.
      await patiently('so does mcp why', async () => (await cluster.mcp('why', 'dns')).stdout.includes(address));
      const third = await servedBy(first, second.machine);
      t.not(third.machine, ready?.uuid);
      await cluster.settled('claimed', 'claimed', 'ready');
      const given = (await cluster.events()).find(
        ({ machine, kind }) => machine === ready?.uuid && kind === 'machine.retired',
      );
      t.regex(given?.reason ?? '', new RegExp(`refused /ports/${port}: ${address.replaceAll('.', '\\.')}`));
      t.deepEqual((await cluster.status())?.alarms, [], 'one bad address is no bad version');
    },
  );

  test.serial(
    'guests that never join are ended, after three none is made until somebody says so, and then all is well',
    async (t) => {
      t.timeout(600_000);
      const cluster = await vmCluster(t, server().connectString, 'mute');
      await cluster.declare(2);
      const stop = cluster.lead('c1', hastyPolicy(), { joinTimeoutMs: 1 });
      const alarm = await patiently('the alarm', async () =>
        (await cluster.status())?.alarms.find(({ code }) => code === 'POOL_BREAKER'),
      );
      t.regex(alarm.message, /the last 3 machines of image minimal failed: .*its guest has not joined within/);
      await cluster.settled();
      const kinds = (await cluster.events()).map(({ kind }) => kind);
      t.is(kinds.filter((kind) => kind === 'machine.creating').length, 3);
      t.is(kinds.filter((kind) => kind === 'machine.gone').length, 3);
      await stop();

      cluster.lead('c2', hastyPolicy());
      await patiently('it knows', async () => (await cluster.status())?.leader === 'c2');
      t.deepEqual(await cluster.ledger(), []);
      const { data } = await cluster.client.get(paths.pool);
      const record = decode(codecs.pool, paths.pool, data);
      await cluster.client.set(paths.pool, encode(codecs.pool, forgiveFailures(record)), -1);
      await cluster.settled('ready', 'ready');
      t.deepEqual((await cluster.status())?.alarms, []);
    },
  );

  test.serial(
    'a controller killed before or after any call leaves what its successor finds: none is lost, none too many',
    async (t) => {
      t.timeout(600_000);
      const cluster = await vmCluster(t, server().connectString, 'kills');
      const port = await freePort();
      await cluster.declare(1, [cluster.service(port, 1)]);
      const killedAt = async (...points: string[]) => {
        for (const killAt of points) {
          const controller = cluster.leadApart(killAt, { killAt });
          await within(controller, `it comes to ${killAt}`, controller.ended);
          t.is(controller.process.signalCode, 'SIGKILL', controller.log());
          await cluster.endLatch();
        }
      };
      await killedAt('create.before', 'create.after', 'create.answered', 'claim.before', 'claim.after');
      const filler = cluster.leadApart('filler');
      await cluster.settled('claimed', 'ready');
      filler.process.kill('SIGKILL');
      await filler.ended;
      await cluster.endLatch();
      await cluster.declare(0, [cluster.service(port, 1)]);
      await killedAt('destroy.before', 'destroy.after');
      cluster.leadApart('last');
      const [machine] = await cluster.settled('claimed');
      t.deepEqual(
        (await cluster.open().list()).map(({ uuid }) => uuid),
        [machine?.uuid],
      );
      t.is((await cluster.serving()).length, 1);
    },
  );

  test.serial(
    'a leader that stood still in the midst of a call makes and destroys nothing twice when it goes on',
    async (t) => {
      t.timeout(600_000);
      const cluster = await vmCluster(t, server().connectString, 'pauses');
      await cluster.declare(1);
      const creator = cluster.leadApart('creator', { stopIn: 'create' });
      await standing(creator);
      const [late] = await cluster.ledger();
      const second = cluster.leadApart('second', { stopIn: 'destroy' });
      const [made] = await cluster.settled('ready');
      t.not(made?.uuid, late?.uuid);
      t.is((await cluster.status())?.leader, 'second');
      creator.process.kill('SIGCONT');
      // Its creation lands now, unknown to the ledger, and the second is to destroy it: there it stands still itself.
      await standing(second);
      t.is(qemusBelow(cluster.dir).length, 2);
      await patiently('the first leads again', async () => (await cluster.status())?.leader === 'creator');
      await cluster.settled('ready');
      second.process.kill('SIGCONT');
      await cluster.declare(2);
      const both = await cluster.settled('ready', 'ready');
      t.true(
        both.some(({ uuid }) => uuid === made?.uuid),
        'the late destruction hit nobody else',
      );
      const events = await cluster.events();
      const count = (kind: string, uuid?: string) =>
        events.filter((event) => event.kind === kind && event.machine === uuid).length;
      t.is(count('machine.adopted', late?.uuid), 1);
      t.is(count('machine.gone', late?.uuid), 2, 'first what never showed, then what showed late');
      for (const { uuid } of both)
        t.deepEqual([count('machine.creating', uuid), count('machine.destroying', uuid)], [1, 0]);
    },
  );
}

async function within(controller: ChildController, what: string, event: Promise<unknown>): Promise<void> {
  let over = false;
  void event.then(() => {
    over = true;
  });
  await patiently(what, () => over).catch((error: Error) => {
    throw new Error(`${error.message}\n${controller.log()}`);
  });
}

/** Waits until it has stopped itself. */
async function standing(controller: ChildController): Promise<void> {
  const pid = controller.process.pid ?? 0;
  await patiently('it stands still', () => standsStill({ pid, startTime: readStartTime(pid) ?? 0 })).catch(
    (error: Error) => {
      throw new Error(`${error.message}\n${controller.log()}`);
    },
  );
}
