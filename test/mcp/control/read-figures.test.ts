import test from 'ava';
import { readFigures, readInFlight } from '../../../mcp/control/read-figures.ts';
import { startBackend } from '../../helpers/http-backend.ts';

function traffic(requests: number, since = 1) {
  const latencyMs = { bounds: [10], counts: [requests - 1, 1], sum: 5 };
  const one = { service: 'dns', version: '1.2.0', requests, errors5xx: 1, retries: 0, latencyMs };
  return JSON.stringify({
    gateway: 'g',
    at: 2,
    since,
    versions: [one, { ...one, service: 'web' }],
    inFlight: [{ service: 'dns', endpoint: '127.0.0.1:8080', requests }],
    down: [],
    uncounted: 0,
  });
}

test('figures and requests under way of all gateways are added up; where one does not answer or does not count there are none', async (t) => {
  const gateway = async (name: string, answer: string) => {
    const { port } = await startBackend(t, name, { answer: (_request, response) => void response.end(answer) });
    return { url: `http://127.0.0.1:${port}` };
  };
  const one = await gateway('one', traffic(10));
  const two = await gateway('two', traffic(5));
  const plain = await gateway('plain', traffic(5, 0));
  const odd = await gateway('odd', '<html>');
  const read = (...gateways: { url: string }[]) => readFigures(gateways, ['dns'], AbortSignal.timeout(20_000));
  const both = await read(one, two);
  t.deepEqual(both?.get('dns'), [
    { version: '1.2.0', requests: 15, errors: 2, latency: { bounds: [10], counts: [13, 2] } },
  ]);
  for (const gateways of [[one, plain], [one, odd], [one, { url: 'http://127.0.0.1:1' }], []])
    t.is(await read(...gateways), null);
  const busy = (...gateways: { url: string }[]) => readInFlight(gateways, AbortSignal.timeout(20_000));
  t.deepEqual(await busy(one, two), new Map([['dns 127.0.0.1:8080', 15]]));
  t.is(await busy(one, plain), null);
});
