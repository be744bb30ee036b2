/** Whom the gateway lets through to a service, and how often, in both modes on a real nginx. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext, TestFn } from 'ava';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import type { ServiceDoorSpec } from '../../specs/front-door.ts';
import { askSecurely, type SecureOptions } from '../helpers/ask-securely.ts';
import { Authority, htpasswd } from '../helpers/certificates.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';
import { secureGateway } from '../helpers/secure-gateway.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const guarded = (name: string, door: ServiceDoorSpec) => sampleService(name, [sampleVersion('1', 1)], door);
const key = randomBytes(32).toString('base64url');
const sha256 = createHash('sha256').update(key).digest('hex');
const apiKeys = { header: 'X-API-Key', clients: [{ name: 'shop', sha256 }] };
const cors = {
  origins: ['https://app.example'],
  methods: ['GET', 'POST'],
  headers: ['Content-Type'],
  expose: ['X-Request-Id'],
  credentials: true,
  maxAgeMs: 600_000,
};

export function serviceDoorConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  const start = async (t: ExecutionContext) => {
    const users = join(await tempDir(t), 'users.htpasswd');
    const [anna, ben] = await Promise.all([htpasswd('anna', '-apr1', 'right'), htpasswd('ben', '-6', 'right')]);
    writeFileSync(users, `# users\n${anna}${ben}`);
    const secure = await secureGateway(t, mode, { clients: true }, [
      guarded('open', {}),
      guarded('keys', { access: { apiKeys }, cors, limits: { rate: { requests: 1, per: 'm', burst: 4 } } }),
      guarded('basic', { access: { basicFile: users } }),
      guarded('mutual', { access: { clientCertificate: 'required' } }),
      guarded('either', { access: { clientCertificate: 'optional' } }),
      guarded('small', { limits: { bodyBytes: 1024 } }),
      guarded('slow', { limits: { rate: { requests: 6, per: 'm', burst: 2 } }, cors }),
    ]);
    const ask = (path: string, options: Partial<SecureOptions> = {}) =>
      askSecurely(`${secure.url}${path}`, { ca: secure.ca, ...options });
    return { ...secure, users, askDoor: ask };
  };

  test('users by password, callers by certificate, sizes and rates: each service has its own door, others have none', async (t) => {
    const { gateway, askDoor, authority, users } = await start(t);
    const seen = (body: string) => JSON.parse(body).headers;
    const code = (body: string) => JSON.parse(body).error.code;
    const spoofed = { 'x-mcp-client': 'root', 'x-mcp-client-subject': 'CN=root' };

    const open = await askDoor('/open/x', { headers: spoofed });
    t.is(open.status, 200);
    t.deepEqual([seen(open.body)['x-mcp-client'], seen(open.body)['x-mcp-client-subject']], [undefined, undefined]);

    const refused = await askDoor('/basic/x');
    t.like([refused.status, code(refused.body)], [401, 'CREDENTIALS_NEEDED']);
    t.is(refused.headers['www-authenticate'], 'Basic realm="basic"');
    for (const user of ['anna', 'ben']) {
      const headers = { ...spoofed, authorization: basic(user, 'right') };
      const known = await askDoor('/basic/a%2Fb?q=1', { headers });
      t.is(known.status, 200, user);
      t.like(seen(known.body), { 'x-mcp-client': user });
      t.is(seen(known.body).authorization, undefined, 'the password ends at the gateway');
      t.is(JSON.parse(known.body).url, '/a%2Fb?q=1');
      t.is((await askDoor('/basic/x', { headers: { authorization: basic(user, 'wrong') } })).status, 401);
    }
    writeFileSync(users, 'anna:{PLAIN}right\n');
    await eventually('refused', async () =>
      /line 1 of .* has no hash that is accepted/.test((await gateway.status()).alarm),
    );
    t.is((await askDoor('/basic/x', { headers: { authorization: basic('anna', 'right') } })).status, 200);

    const without = await askDoor('/mutual/x');
    t.like([without.status, code(without.body)], [403, 'CLIENT_CERTIFICATE_NEEDED']);
    t.is((await gateway.ask('/mutual/x')).status, 403, 'nor by HTTP');
    const mine = await authority.issue('caller');
    const caller = await askDoor('/mutual/x', { ...mine, headers: spoofed });
    t.is(caller.status, 200);
    t.is(seen(caller.body)['x-mcp-client-subject'], 'CN=caller');
    t.is(seen((await askDoor('/either/x', { ...mine })).body)['x-mcp-client-subject'], 'CN=caller');
    t.is(seen((await askDoor('/either/x', { headers: spoofed })).body)['x-mcp-client-subject'], undefined);
    const other = await Authority.create(await tempDir(t), 'other');
    t.is((await askDoor('/mutual/x', { ...(await other.issue('caller')) })).status, 400);

    const bodies = await Promise.all(
      ['/small/x', '/open/x'].flatMap((path) =>
        [1000, 2000].map(async (size) => (await askDoor(path, { method: 'POST', body: 'x'.repeat(size) })).status),
      ),
    );
    t.deepEqual(bodies, [200, 413, 200, 200]);

    const answers = [];
    for (let n = 0; n < 5; n += 1)
      answers.push(await askDoor('/slow/x', { headers: { origin: 'https://app.example' } }));
    t.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 429, 429],
    );
    t.like(answers[4]?.headers, { 'retry-after': '10', 'access-control-allow-origin': 'https://app.example' });
    t.is(code(answers[4]?.body ?? ''), 'TOO_MANY_REQUESTS');
    t.is((await askDoor('/open/x')).status, 200);
    const own = async () => JSON.parse((await gateway.ask('/status/traffic.json')).body).own ?? [];
    if (mode === 'dynamic')
      t.deepEqual(
        await eventually('refusals are counted', async () => {
          const found = (await own()).filter((one: { service: string }) => one.service === 'mutual');
          return found.length > 0 ? found : null;
        }),
        [{ service: 'mutual', status: 403, answers: 2 }],
      );

    for (const path of ['/_mcp/door/basic', '/_mcp/door/basic/stream', '//basic/x', '/BASIC/x', '/open/..%2fbasic/x']) {
      t.true([400, 404].includes((await askDoor(path)).status), path);
    }
    t.is(open.headers['x-content-type-options'], 'nosniff', 'careful headers come with TLS');
    const config = readFileSync(gatewayPaths(gateway.dir).config, 'utf8');
    t.false(config.includes('$apr1$'));
  });

  test('who the client is says a trusted proxy, and nobody else: for rates, the log, stickiness and the service', async (t) => {
    const gateway = await testGateway(t);
    const limits = { rate: { requests: 1, per: 'm' as const, burst: 0 } };
    const proxy = { sticky: { by: 'client' as const } };
    const versions = [sampleVersion('1', 1, 50), sampleVersion('2', 1, 50)];
    const environment = sampleEnvironment([
      sampleService('slow', [sampleVersion('1', 1)], { limits }),
      sampleService('sticky', versions, { proxy }),
    ]);
    const declare = (trustedProxies: string[], generation: number) =>
      gateway.declare(
        {
          ...environment,
          gateway: { ...environment.gateway, trustedProxies, accessLog: { bytes: 1_000_000, keep: 1 } },
        },
        generation,
      );
    await declare(['192.0.2.0/24', '127.0.0.1'], 1);
    const places = await Promise.all(['slow', '1', '2'].map((name) => startBackend(t, name)));
    gateway.start({ mode });
    for (const [index, { port }] of places.entries()) {
      const [service, version] = index === 0 ? ['slow', '1'] : ['sticky', String(index)];
      await gateway.register(sampleRegistration(service, version, index + 1, { address: '127.0.0.1', port }));
    }
    await gateway.settled();
    const from = (forwarded: string, path = '/slow/x') => gateway.ask(path, { 'x-forwarded-for': forwarded });

    const first = await from('203.0.113.1');
    t.is(JSON.parse(first.body).headers['x-forwarded-for'], '203.0.113.1, 127.0.0.1');
    const statuses = [];
    for (const client of ['203.0.113.1', '203.0.113.2', '203.0.113.3, 192.0.2.9', '1.2.3.4, 203.0.113.2', 'nonsense'])
      statuses.push((await from(client)).status);
    t.deepEqual(statuses, [429, 200, 200, 429, 200], 'the last one that is no proxy of ours counts');
    const log = () => readFileSync(gatewayPaths(gateway.dir).accessLog, 'utf8');
    await eventually(
      'logged',
      () => /"address":"203\.0\.113\.3"/.test(log()) && /"address":"127\.0\.0\.1"/.test(log()),
    );
    if (mode === 'dynamic') {
      const clients = Array.from({ length: 24 }, (_, n) => `203.0.113.${n}`);
      const versionsOf = () =>
        Promise.all(clients.map(async (client) => JSON.parse((await from(client, '/sticky/x')).body).name));
      const chosen = await versionsOf();
      t.deepEqual(await versionsOf(), chosen);
      t.is(new Set(chosen).size, 2, 'clients behind one proxy are told apart');
    }

    await declare(['192.0.2.0/24'], 2);
    await gateway.settled();
    const forged = [];
    for (const client of ['203.0.113.11', '203.0.113.12', '203.0.113.13']) forged.push((await from(client)).status);
    t.deepEqual(new Set(forged.slice(1)), new Set([429]), 'who is no proxy of ours is one client, whatever it says');
  });

  test('API keys are known by their hashes: checked where Lua runs, else nobody gets in and that is said', async (t) => {
    const { gateway, askDoor } = await start(t);
    const origin = { origin: 'https://app.example' };
    const preflight = { ...origin, 'access-control-request-method': 'POST' };
    if (mode === 'plain') {
      const shut = await askDoor('/keys/x', { headers: { 'x-api-key': key } });
      t.deepEqual([shut.status, JSON.parse(shut.body).error.code], [501, 'DOOR_CLOSED']);
      t.regex((await gateway.status()).alarm, /plain mode can't check API keys, so nobody gets in at keys/);
      return;
    }
    const asked = await askDoor('/keys/x', { method: 'OPTIONS', headers: preflight });
    t.is(asked.status, 204);
    t.like(asked.headers, {
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    const foreign = { ...preflight, origin: 'https://evil.example' };
    const denied = await askDoor('/keys/x', { method: 'OPTIONS', headers: foreign });
    t.is(denied.headers['access-control-allow-origin'], undefined);

    for (const wrong of [null, 'short', `${key}x`, sha256]) {
      const { status, headers } = await askDoor('/keys/x', {
        headers: wrong === null ? origin : { ...origin, 'x-api-key': wrong },
      });
      t.deepEqual([status, headers['access-control-allow-origin']], [401, 'https://app.example']);
    }
    const answers = [];
    for (let n = 0; n < 6; n += 1) {
      answers.push(await askDoor('/keys/x', { headers: { ...origin, 'x-api-key': key, 'x-mcp-client': 'root' } }));
    }
    t.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 429],
    );
    const { headers } = JSON.parse(answers[0]?.body ?? '');
    t.deepEqual([headers['x-mcp-client'], headers['x-api-key']], ['shop', undefined]);
    t.is(answers[5]?.headers['retry-after'], '60');
    const paths = gatewayPaths(gateway.dir);
    t.is(statSync(paths.doors).mode & 0o777, 0o700);
    for (const path of [paths.config, paths.door, paths.statusJson, paths.errorLog]) {
      t.false(readFileSync(path, 'utf8').includes(key));
    }
  });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
