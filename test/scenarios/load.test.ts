/** Scaling under steady keep-alive load loses nothing: drained instances go only when no request can reach them. */
import test from 'ava';
import { type LoadFailure, startLoad } from '../helpers/load.ts';
import { instancesOf, settled, startEnvironment } from '../helpers/local-environment.ts';

/**
 * nginx 1.22 closes idle keep-alive connections of old workers at a reload; a request that is just on its way gets a reset
 * (README, "What a reload costs"). Everything else is a loss of ours.
 */
function losses(failures: LoadFailure[]): LoadFailure[] {
  return failures.filter(({ what }) => what !== 'ECONNRESET' && what !== 'EPIPE');
}

test('scaling up and down under GET and POST load loses no request but to the resets of nginx reloads', async (t) => {
  t.timeout(240_000);
  const env = await startEnvironment(t);
  const posts = [
    { method: 'POST' as const, path: '/domains/v1/availability', body: JSON.stringify({ name: 'load.example' }) },
    {
      method: 'POST' as const,
      path: '/dns/zones/example.com/records',
      body: JSON.stringify({ type: 'A', name: 'www', address: '192.0.2.1' }),
    },
    { method: 'POST' as const, path: '/certificates/issued', body: JSON.stringify({ name: 'www.load.example' }) },
  ];
  const gets = ['/dns/zones', '/domains/v1/names', '/certificates/issued'].map((path) => ({
    method: 'GET' as const,
    path,
  }));
  const load = startLoad(env.url, [...gets, ...posts], { clients: 8, pauseMs: 5 });
  t.teardown(() => void load.stop());
  for (const count of ['4', '2', '3', '1']) {
    await env.mcp('scale', 'dns', count, '--yes');
    await env.until(
      `${count} of dns`,
      (status) => settled(status) && instancesOf(status, 'dns').length === Number(count),
    );
  }
  const { requests, failures } = await load.stop();
  t.log(`${requests} requests, ${failures.length} reset at reloads`);
  t.true(requests > 1000, String(requests));
  t.deepEqual(losses(failures), []);
  t.true(failures.length <= requests * 0.03, `${failures.length} of ${requests}`);
});
