import test from 'ava';
import { QuarantineLog } from '../../../mcp/control/quarantine-log.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import { gateway } from '../../helpers/world.ts';
import { setUp } from './registry-setup.ts';

test('what is left out is logged once when it begins and once when it ends, and a flood of it line by line', async (t) => {
  const { client, clock } = await setUp(t);
  const log = new QuarantineLog(client, clock, { id: 'c1', epoch: 1 });
  const { signal } = new AbortController();
  const path = '/services/dns/1/m-1';
  const ofGateway = { rejected: [], gateways: [gateway({ rejected: [{ path, reason: 'port' }] })] };
  const lines = async () => (await readEvents(client)).filter(({ kind }) => kind.startsWith('registration.'));
  await log.tell(ofGateway, signal);
  await log.tell(ofGateway, signal);
  await log.tell({ rejected: [{ path, reason: 'port' }], gateways: [] }, signal);
  await log.tell({ rejected: [], gateways: [] }, signal);
  t.deepEqual(
    (await lines()).map(({ kind, machine, message, reason }) => [kind, machine, message, reason]),
    [
      ['registration.left-out', 'm-1', `registration ${path} is left out`, 'gateway-1: port'],
      ['registration.accepted', 'm-1', `registration ${path} is left out no more`, 'it was: gateway-1: port'],
    ],
  );
  const rejected = Array.from({ length: 25 }, (_, n) => ({ path: `/services/dns/1/m-${n}`, reason: 'port' }));
  for (const expected of [12, 22, 27, 27]) {
    await log.tell({ rejected, gateways: [] }, signal);
    t.is((await lines()).length, expected);
  }
  client.close();
  await t.notThrowsAsync(log.tell({ rejected: [], gateways: [] }, signal), 'a registry that is away fails nothing');
});
