/** kill -9 of the process that creates a machine, at any moment: nothing is leaked, nothing runs twice (P7). */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { systemClock } from '../../../registrar/system-clock.ts';
import { pidsOf, processBench, sleepingAgent, testBlock, testCluster } from '../../helpers/process-machines.ts';
import { until } from '../../helpers/until.ts';

const program = fileURLToPath(new URL('../../helpers/create-machine.ts', import.meta.url));

/** Starts a maker, kills it `afterMs` after it began, gives whether it had said that the machine was made. */
async function killMaker(description: object, afterMs: number): Promise<boolean> {
  const maker = spawn(process.execPath, [program, JSON.stringify(description)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  maker.stdout.on('data', (chunk) => {
    said += chunk;
  });
  await until('the maker begins', () => said.includes('starting'));
  await systemClock.sleep(afterMs);
  maker.kill('SIGKILL');
  await once(maker, 'close');
  return said.includes('created');
}

test.serial(
  'whenever the maker is killed, a create again gives one running machine and destroy leaves none',
  async (t) => {
    const { dir, open } = await processBench(t);
    const provider = open();
    const reached = { made: 0, halfMade: 0 };
    for (const afterMs of [0, 1, 2, 4, 6, 8, 10, 14, 20, 60]) {
      const uuid = randomUUID();
      const request = { uuid, operation: `op-${uuid}`, clusterId: testCluster, image: 'process', registry: 'r' };
      const options = { dir, clusterId: testCluster, addressBlock: testBlock, agentCommand: sleepingAgent };
      const made = await killMaker({ provider: options, request }, afterMs);
      const found = await provider.find(request.operation);
      if (made) t.is(found?.state, 'running');
      if (found?.state === 'running') reached.made += 1;
      else if (found) reached.halfMade += 1;

      const machine = await provider.create(request);
      t.is(machine.uuid, uuid);
      t.is(machine.state, 'running', `killed after ${afterMs} ms`);
      await until('one process is the machine', () => pidsOf(uuid).length === 1);
      await provider.destroy(machine);
      t.deepEqual(pidsOf(uuid), []);
    }
    t.log(reached);
    t.deepEqual(await provider.list(), []);
  },
);
