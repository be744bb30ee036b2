import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { checkHealth, watchHealth } from '../../../registrar/agent/health.ts';
import type { HealthCheck } from '../../../specs/nouns.ts';
import { freePort } from '../../helpers/free-port.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const base: HealthCheck = { kind: 'http', path: '/healthz', intervalMs: 1_000, timeoutMs: 300, rise: 1, fall: 1 };
const never = new AbortController().signal;

async function listen(t: ExecutionContext, server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function look(check: Partial<HealthCheck>, port: number) {
  const env = { PATH: process.env.PATH ?? '', WORD: 'from the environment' };
  return checkHealth({ ...base, ...check }, { address: '127.0.0.1', port, cwd: process.cwd(), env }, never);
}

async function reasonOf(check: Partial<HealthCheck>, port: number): Promise<string> {
  const result = await look(check, port);
  return result.passed ? 'passed' : result.reason;
}

test('2xx and 3xx pass, other statuses fail with their number; redirects are not followed', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(Number(request.url?.slice(1)), { location: '/500' }).end('x');
  });
  const port = await listen(t, server);
  for (const status of [200, 204, 302]) t.deepEqual(await look({ path: `/${status}` }, port), { passed: true });
  for (const status of [404, 500, 503])
    t.regex(await reasonOf({ path: `/${status}` }, port), new RegExp(`/${status}: status ${status}$`));
  t.is(asked.length, 6);
});

test('no answer in time, a broken answer and no listener fail, each with its reason', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/slow') response.write('x');
    if (request.url === '/broken') response.socket?.destroy();
  });
  const port = await listen(t, server);
  t.regex(await reasonOf({ path: '/slow' }, port), /no answer within 300 ms/);
  t.regex(await reasonOf({ path: '/silent' }, port), /no answer within 300 ms/);
  t.regex(await reasonOf({ path: '/broken' }, port), /socket hang up|ECONNRESET/);
  const nobody = await freePort();
  t.regex(await reasonOf({}, nobody), /ECONNREFUSED/);
  t.regex(await reasonOf({ kind: 'tcp' }, nobody), /connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
});

test('an endless body is cut off and does not count against the status', async (t) => {
  const server = createServer((_request, response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(20_000)), 1);
    response.on('close', () => clearInterval(timer));
  });
  t.deepEqual(await look({ timeoutMs: 3_000 }, await listen(t, server)), { passed: true });
});

test('whoever accepts a connection passes a tcp check', async (t) => {
  t.deepEqual(await look({ kind: 'tcp' }, await listen(t, createTcpServer())), { passed: true });
});

test('a command passes with exit code 0, sees the service’s environment, and is killed when late', async (t) => {
  const node = (code: string) => ({
    kind: 'command' as const,
    timeoutMs: 5_000,
    command: [process.execPath, '-e', code],
  });
  t.deepEqual(await look(node('process.exit(process.env.WORD ? 0 : 1)'), 1), { passed: true });
  t.regex(await reasonOf(node('console.error("no disk"); process.exit(4)'), 1), /exit code 4: no disk$/);
  t.regex(await reasonOf({ ...node('setInterval(() => {}, 999)'), timeoutMs: 200 }, 1), /no answer within 200 ms/);
  t.regex(await reasonOf({ kind: 'command', command: ['/nowhere'] }, 1), /ENOENT/);
});

test('a starting instance is looked at often, a healthy one at its interval', async (t) => {
  const clock = new ManualClock();
  const results = [false, false, true, true, false, true];
  const looks: number[] = [];
  const verdicts: [number, boolean][] = [];
  const over = new AbortController();
  const watching = watchHealth({
    check: { ...base, rise: 2, fall: 1, intervalMs: 5_000 },
    target: { address: '127.0.0.1', port: 1, cwd: '/', env: {} },
    clock,
    signal: over.signal,
    onVerdict: ({ healthy }) => verdicts.push([clock.monotonic(), healthy]),
    look: async () => {
      looks.push(clock.monotonic());
      return results[looks.length - 1] ? { passed: true } : { passed: false, reason: 'no' };
    },
  });
  await clock.advance(11_000);
  t.deepEqual(looks, [0, 100, 200, 300, 5_300, 10_300]);
  t.deepEqual(verdicts, [
    [0, false],
    [300, true],
    [5_300, false],
  ]);
  over.abort();
  await watching;
});

test('a starting instance whose looks take long is looked at less often, a fifth of the time at most', async (t) => {
  const clock = new ManualClock();
  const looks: number[] = [];
  const over = new AbortController();
  const watching = watchHealth({
    check: { ...base, intervalMs: 1_000 },
    target: { address: '127.0.0.1', port: 1, cwd: '/', env: {} },
    clock,
    signal: over.signal,
    onVerdict: () => {},
    look: async () => {
      looks.push(clock.monotonic());
      await clock.sleep(looks.length === 1 ? 50 : 400);
      return { passed: false, reason: 'no' };
    },
  });
  await clock.advance(4_000);
  t.deepEqual(looks, [0, 250, 1_650, 3_050]);
  over.abort();
  await watching;
});
