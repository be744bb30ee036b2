import test from 'ava';
import { mainPid, processBench, testCluster } from '../helpers/process-machines.ts';
import { providerConformance } from './provider.ts';

providerConformance(test.serial, 'process', async (t) => {
  const bench = await processBench(t);
  return {
    provider: bench.open({ maxMachines: 4 }),
    other: bench.open({ maxMachines: 4 }),
    clusterId: testCluster,
    image: 'process',
    limit: 4,
    kill: async ({ uuid }) => void process.kill(mainPid(bench.dir, uuid), 'SIGKILL'),
  };
});
