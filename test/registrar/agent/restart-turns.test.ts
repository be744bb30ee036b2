import test from 'ava';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { AgentWorldForTest } from '../../helpers/agent-world.ts';
import { eventually } from '../../helpers/eventually.ts';

test('a changed configuration never takes more than one instance of a service out at a time', async (t) => {
  const registry = new FakeRegistry();
  const worlds: AgentWorldForTest[] = [];
  for (let index = 0; index < 3; index += 1) worlds.push(await AgentWorldForTest.make(t, registry.connect));
  const [first] = worlds;
  if (!first) return t.fail();
  await first.publishConfig({ level: 1 });
  for (const world of worlds) {
    world.startAgent();
    await world.assign();
  }
  const before = await Promise.all(worlds.map((world) => world.registered('up')));
  let fewest = worlds.length;
  let over = false;
  const watching = (async () => {
    while (!over) {
      const now = await Promise.all(worlds.map((world) => world.registration()));
      fewest = Math.min(fewest, now.filter((found) => found?.record.state === 'up').length);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  await first.publishConfig({ level: 2 }, 2);
  await eventually(
    'all restarted',
    async () => {
      const now = await Promise.all(worlds.map((world) => world.registration()));
      return now.every((found, index) => (found?.stat.czxid ?? 0) > (before[index]?.stat.czxid ?? 0));
    },
    60_000,
  );
  over = true;
  await watching;
  t.is(fewest, 2);
  for (const world of worlds) t.is(JSON.parse(await world.ask('/env')).MCP_CONFIG_LEVEL, '2');
});
