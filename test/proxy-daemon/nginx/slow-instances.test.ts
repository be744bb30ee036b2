/** What instances that are slow, or never answer, get and cost, on a real nginx in dynamic mode. */
import test from 'ava';
import type { TrafficReport } from '../../../proxy-daemon/version-figures.ts';
import type { ProxySpec } from '../../../specs/nouns.ts';
import { eventually } from '../../helpers/eventually.ts';
import { testGateway } from '../../helpers/gateway.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

/** A gateway with two instances of `dns`, of which the first does as it is told. */
async function gatewayWith(t: Parameters<typeof testGateway>[0], proxy: ProxySpec, first: (end: () => void) => void) {
  const gateway = await testGateway(t);
  await gateway.declare(sampleEnvironment([sampleService('dns', [sampleVersion('1', 2)], { proxy })]), 1);
  const seen = { slow: 0, fast: 0 };
  const slow = await startBackend(t, 'slow', {
    answer: (_, response) => {
      seen.slow += 1;
      first(() => response.end('slow'));
    },
  });
  const fast = await startBackend(t, 'fast', {
    answer: (_, response) => {
      seen.fast += 1;
      response.end('fast');
    },
  });
  for (const [n, { port }] of [slow, fast].entries())
    await gateway.register(sampleRegistration('dns', '1', n + 1, { address: '127.0.0.1', port }));
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const traffic = async (): Promise<TrafficReport> => JSON.parse((await gateway.ask('/status/traffic.json')).body);
  return { gateway, seen, traffic, slow: `127.0.0.1:${slow.port}` };
}

test('of two instances the slow one gets clearly fewer requests: the one with fewer in flight is chosen', async (t) => {
  const { gateway, seen } = await gatewayWith(t, {}, (end) => setTimeout(end, 100));
  let left = 600;
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      t.is((await gateway.ask('/dns/x')).status, 200);
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  t.is(seen.slow + seen.fast, 600);
  // By turns it would be one in two.
  t.true(seen.slow > 0 && seen.slow < 200, `${seen.slow} of 600`);
});

test('an instance that does not answer in the time that its service declares costs a 504 in that time, or a retry, and is passed over', async (t) => {
  const alone = await gatewayWith(t, { readTimeoutMs: 300, retries: 0, markDownMs: 60_000 }, () => {});
  // One failure may be chance, two within the time are none.
  let late = 0;
  for (let n = 0; n < 60 && late < 2; n += 1) {
    const started = performance.now();
    const { status, body } = await alone.gateway.ask('/dns/x');
    if (status === 200) continue;
    late += 1;
    t.deepEqual([status, JSON.parse(body).error.code], [504, 'BACKEND_TIMEOUT']);
    const took = performance.now() - started;
    t.true(took >= 290 && took < 20_000, `${took} ms, not the usual 60 s`);
  }
  t.is(late, 2);
  for (let n = 0; n < 10; n += 1) t.is((await alone.gateway.ask('/dns/x')).body, 'fast');
  const told = await eventually('counted', async () => {
    const report = await alone.traffic();
    return report.versions[0]?.errors5xx === 2 && report.down.length > 0 ? report : null;
  });
  t.deepEqual(told.down, [alone.slow]);

  const both = await gatewayWith(t, { readTimeoutMs: 300, markDownMs: 60_000 }, () => {});
  for (let n = 0; n < 60; n += 1) t.is((await both.gateway.ask('/dns/x')).body, 'fast');
  t.is(both.seen.slow, 2, 'tried twice');
  const retried = await eventually('counted', async () => {
    const report = await both.traffic();
    return report.versions[0]?.retries === 2 && report.down.length > 0 ? report : null;
  });
  t.like(retried.versions[0], { errors5xx: 0 });
  t.deepEqual(retried.down, [both.slow]);
});
