import test from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { failedVerification, readEnded, trimEnded } from '../../../registrar/recipes/ended-machines.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import type { MachineRecord } from '../../../registrar/records.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

test('of the ended machines the newest are kept, and of each image the newest that failed', async (t) => {
  const clock = new ManualClock();
  const registry = new FakeRegistry({ clock });
  const client = await registry.connect();
  await formatRegistry(client, clock, { clusterId: 'test' });
  t.deepEqual(await readEnded(client), []);
  const dates = { createdAt: 0, changedAt: 0 };
  for (let n = 0; n < 240; n += 1) {
    const failed = n < 30 ? { verification: { at: n, tookMs: 1, passed: false, checks: [] } } : {};
    const image = n % 2 === 0 ? 'even' : 'odd';
    const machine: MachineRecord = {
      uuid: `m${n}`,
      provider: 'p',
      image,
      state: 'deleting',
      operation: 'o',
      epoch: 1,
      ...dates,
      ...failed,
    };
    await client.create(paths.ended(machine.uuid), encode(codecs.ended, { machine, at: n, reason: 'test' }));
  }
  await client.create(paths.ended('damaged'), 'nonsense');
  t.is(await trimEnded(client), 11, 'ten that are neither new nor failed, and the damaged one');
  const kept = await readEnded(client);
  t.is(kept[0]?.machine.uuid, 'm239');
  t.is(kept.filter(failedVerification).length, 30, 'fifteen of each image');
  t.is(await trimEnded(client), 0, 'no more to do');
});
