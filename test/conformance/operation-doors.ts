/** Operations with access and limits of their own, in both modes on a real nginx. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestFn } from 'ava';
import type { Explanation } from '../../proxy-daemon/routes/explain/explanation.ts';
import type { OperationDoorSpec } from '../../specs/front-door.ts';
import { htpasswd } from '../helpers/certificates.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const perMinute = (requests: number, burst = 0) => ({ rate: { requests, per: 'm' as const, burst } });
const limited: OperationDoorSpec[] = [
  { method: 'POST', path: '/zones', limits: { ...perMinute(1, 1), bodyBytes: 1024 } },
  { method: 'GET', path: '/zones/{id}', limits: perMinute(2, 1) },
  { method: 'PUT', path: '/zones/{id}', limits: { bodyBytes: 4096 } },
  { method: 'PATCH', path: '/zones/{id}', limits: perMinute(1000, 1000) },
];
const guarded: OperationDoorSpec[] = [
  { method: 'GET', path: '/health', open: true },
  { method: 'ANY', path: '/admin/**', access: { clientCertificate: 'required' } },
  { method: 'GET', path: '/zones/{id}', limits: perMinute(1000, 1000) },
];
/** Paths of the service with operations that say who may call them, with what they get without credentials. */
const guardedPaths: [rest: string, status: number][] = [
  ['/health', 200],
  ['/health?x=/admin', 200],
  ['/zones', 401],
  ['/zones/a', 401],
  ['/zones/a%20b', 401],
  ['/healthy', 401],
  ['', 401],
  ['/admin', 403],
  ['/admin/a/b', 403],
  ['/administration', 401],
  ...[
    ...[
      '/Health',
      '/health/',
      '//health',
      '/%68ealth',
      '/health;x',
      '/health%2f',
      '/ADMIN/x',
      '/%61dmin',
      '/admin;x/y',
    ],
    ...['/x//admin', '/x/..;/admin', '/;x/admin', '/x%5c..%5cadmin', '/zones/a%2Fb', '/zones/a/'],
  ].map((rest): [string, number] => [rest, 400]),
];

export function operationDoorConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  test('operations have limits and access of their own, however their paths are spelt, and an explanation says the same', async (t) => {
    const gateway = await testGateway(t);
    const users = join(gateway.dir, 'users.htpasswd');
    writeFileSync(users, await htpasswd('anna', '-apr1', 'right'));
    const limits = { ...perMinute(1000, 1000), bodyBytes: 2048 };
    const versions = [sampleVersion('1', 1)];
    const services = [
      sampleService('limited', versions, { limits, operations: limited }),
      sampleService('guarded', versions, { access: { basicFile: users }, operations: guarded }),
    ];
    await gateway.declare(sampleEnvironment(services), 1);
    gateway.start({ mode });
    const { port } = await startBackend(t, 'one');
    for (const name of ['limited', 'guarded'])
      await gateway.register(sampleRegistration(name, '1', 1, { address: '127.0.0.1', port }));
    await gateway.settled();
    const send = async (method: string, path: string, bytes = 0) =>
      (await ask(gateway.url, method, path, 'x'.repeat(bytes))).status;
    const several = async (count: number, method: string, path: string) => {
      const statuses = [];
      for (let n = 0; n < count; n += 1) statuses.push(await send(method, path));
      return statuses;
    };

    t.deepEqual(await several(4, 'POST', '/limited/zones'), [200, 200, 429, 429]);
    t.deepEqual(
      await several(4, 'GET', '/limited/zones'),
      [200, 200, 200, 200],
      'other operations are not counted with it',
    );
    t.deepEqual(
      [
        await send('GET', '/limited/zones/a'),
        await send('HEAD', '/limited/zones/b'),
        await send('GET', '/limited/zones/c'),
      ],
      [200, 200, 429],
      'all that fits it is one operation, HEAD too',
    );
    for (const rest of ['/Zones/a', '//zones/a', '/%7aones/a', '/zones/a/', '/zones/a;b', '/zones/0%2F25.arpa'])
      t.is(await send('GET', `/limited${rest}`), 429, rest);
    t.is((await ask(gateway.url, 'GET', '/limited/zones/a')).headers['retry-after'], '30');
    t.is(await send('PATCH', '/limited/zones/a', 3000), 413, 'what it does not say is as its service says');
    const bodies: [number, number, number][] = [];
    for (const bytes of [1500, 3000, 5000])
      bodies.push([await send('PATCH', '/limited/x', bytes), await send('PUT', '/limited/zones/a', bytes), bytes]);
    t.deepEqual(bodies, [
      [200, 200, 1500],
      [413, 200, 3000],
      [413, 413, 5000],
    ]);

    const explain = async (method: string, path: string): Promise<Explanation> =>
      JSON.parse((await gateway.ask(`/status/explain?method=${method}&path=${encodeURIComponent(path)}`)).body);
    for (const [rest, status] of guardedPaths) {
      t.is(await send('GET', `/guarded${rest}`), status, rest);
      const { outcome, door } = await explain('GET', `/guarded${rest}`);
      t.is(outcome.status, status === 400 ? 400 : null, rest);
      t.is(
        door.some((one) => /client certificate/.test(one)),
        status === 403,
        rest,
      );
      t.is(
        door.some((one) => /password/.test(one)),
        status === 401,
        rest,
      );
    }
    t.is(await send('POST', '/guarded/health'), 401, 'another method is another operation');
    const headers = { authorization: `Basic ${Buffer.from('anna:right').toString('base64')}` };
    t.is((await gateway.ask('/guarded/zones/a%20b?c=d', headers)).status, 200);
    t.is(JSON.parse((await gateway.ask('/guarded/zones/a%20b?c=d', headers)).body).url, '/zones/a%20b?c=d');
    t.is((await gateway.ask('/guarded/admin', headers)).status, 403, 'its own access stands for the service’s');
    for (const place of ['/_mcp/door/guarded/refused', '/_mcp/door/guarded/o/x'])
      t.is((await gateway.ask(place)).status, 404);
  });

  if (mode === 'plain') return;
  test('an operation has API keys of its own, or its service’s', async (t) => {
    const gateway = await testGateway(t);
    const make = (name: string) => {
      const key = randomBytes(32).toString('base64url');
      return { key, client: { name, sha256: createHash('sha256').update(key).digest('hex') } };
    };
    const [shop, admin] = [make('shop'), make('admin')];
    const access = { apiKeys: { header: 'X-API-Key', clients: [shop.client] } };
    const operations: OperationDoorSpec[] = [
      { method: 'ANY', path: '/admin/**', access: { apiKeys: { header: 'X-Admin-Key', clients: [admin.client] } } },
      { method: 'GET', path: '/few', limits: perMinute(1) },
    ];
    await gateway.declare(
      sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { access, operations })]),
      1,
    );
    gateway.start({ mode });
    const { port } = await startBackend(t, 'one');
    await gateway.register(sampleRegistration('dns', '1', 1, { address: '127.0.0.1', port }));
    await gateway.settled();
    const known = async (path: string, headers: Record<string, string>) => {
      const { status, body } = await gateway.ask(path, headers);
      return status === 200 ? JSON.parse(body).headers['x-mcp-client'] : status;
    };
    t.is(await known('/dns/x', { 'x-api-key': shop.key }), 'shop');
    t.is(await known('/dns/few', {}), 401);
    t.is(await known('/dns/few', { 'x-api-key': shop.key }), 'shop');
    t.is(await known('/dns/few', { 'x-api-key': shop.key }), 429);
    t.is(await known('/dns/x', { 'x-api-key': admin.key }), 401);
    t.is(await known('/dns/admin/x', { 'x-admin-key': admin.key }), 'admin');
    t.is(await known('/dns/admin/x', { 'x-admin-key': shop.key }), 401);
    t.is(await known('/dns/admin/x', { 'x-api-key': shop.key }), 401);
    // Event streams and WebSockets have locations of their own.
    t.is(await known('/dns/admin/x', { 'x-api-key': shop.key, accept: 'text/event-stream' }), 401);
  });
}

/** Sent as it is written: no client is to tidy the path. */
function ask(
  url: string,
  method: string,
  path: string,
  body = '',
): Promise<{ status: number; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const asked = request({ hostname, port, method, path, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
