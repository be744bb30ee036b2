import test from 'ava';
import { systemClock } from '../../registrar/system-clock.ts';
import { FakeProvider } from '../../vm-factory/fake/fake-provider.ts';
import { providerConformance } from './provider.ts';

providerConformance(test, 'fake', async (t) => {
  const options = { clock: systemClock, clusterId: 'conformance', maxMachines: 4, images: ['plain'] };
  const provider = new FakeProvider({ ...options, bootMs: 20, destroyMs: 20 });
  t.teardown(() => provider.close());
  return {
    provider,
    other: provider,
    clusterId: 'conformance',
    image: 'plain',
    limit: 4,
    kill: async ({ uuid }) => provider.kill(uuid),
  };
});
