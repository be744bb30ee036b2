/** Zones from the agents' word to where requests go, with real agents beside real processes and a real gateway. */
import test from 'ava';
import { pino } from 'pino';
import type { Explanation } from '../../proxy-daemon/routes/explain/explanation.ts';
import { runStandalone } from '../../registrar/agent/standalone.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';

test('a gateway prefers the instances whose agents say that they are in its zone, and uses the others where those are gone', async (t) => {
  const gateway = await testGateway(t);
  const leaving = new AbortController();
  const agents: Promise<void>[] = [];
  const backends = await Promise.all(['near', 'far'].map((name) => startBackend(t, name)));
  for (const [index, { port }] of backends.entries()) {
    const zone = index === 0 ? 'a' : 'b';
    agents.push(
      runStandalone({
        ...{ uuid: `u-${zone}`, service: 'dns', version: '1', address: '127.0.0.1', port, zone },
        health: { kind: 'tcp', intervalMs: 50, timeoutMs: 500, rise: 1, fall: 1 },
        drainTimeoutMs: 100,
        ...{ connect: gateway.registry.connect, clock: systemClock, log: pino({ level: 'silent' }) },
        signal: leaving.signal,
      }),
    );
  }
  t.teardown(async () => {
    leaving.abort();
    await Promise.allSettled(agents);
  });
  gateway.start({ mode: 'dynamic', zone: 'a' });
  await eventually('both are there', async () => (await gateway.record().catch(() => null))?.instances === 2);
  const names = async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('/dns/x')));
    return [...new Set(all.map(({ status, body }) => (status === 200 ? JSON.parse(body).name : status)))];
  };
  t.deepEqual(await names(), ['near']);
  const { instances } = JSON.parse((await gateway.ask('/status/explain?path=/dns/x')).body) as Explanation;
  t.deepEqual(instances.map(({ zone, chance }) => [zone, chance]).sort(), [
    ['a', 'yes'],
    ['b', 'last'],
  ]);
  await backends[0]?.kill();
  await eventually('the other zone answers', async () => (await names()).join() === 'far');
});
