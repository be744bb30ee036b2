import test from 'ava';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { mainPid, testCluster } from '../helpers/process-machines.ts';
import { bakedImage, noQemu, qemuBench } from '../helpers/qemu-machines.ts';
import { providerConformance } from './provider.ts';

if (noQemu) test.skip(`virtual machines keep the provider's contract: not run, ${noQemu}`, () => {});
else {
  test.before('the image is baked', async (t) => {
    t.timeout(300_000);
    await bakedImage();
  });
  providerConformance(test.serial, 'qemu', async (t) => {
    const bench = await qemuBench(t);
    return {
      provider: bench.open({ maxMachines: 4 }),
      other: bench.open({ maxMachines: 4 }),
      clusterId: testCluster,
      image: minimalImage,
      limit: 4,
      kill: async ({ uuid }) => void process.kill(mainPid(bench.dir, uuid), 'SIGKILL'),
    };
  });
}
