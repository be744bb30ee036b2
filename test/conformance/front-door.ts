/** What the front door does in both modes, on a real nginx with real certificates. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { TestFn } from 'ava';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { ask } from '../helpers/ask.ts';
import { askByHttp2, askSecurely } from '../helpers/ask-securely.ts';
import { eventually } from '../helpers/eventually.ts';
import type { TestGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleRegistration } from '../helpers/sample-world.ts';
import { secureGateway } from '../helpers/secure-gateway.ts';

const alarmOf = async (gateway: TestGateway) => (await gateway.record()).alarm ?? '';

export function frontDoorConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  test('HTTPS by HTTP/1.1 and HTTP/2 beside HTTP, by modern TLS alone, and no key anywhere but in a file of its own', async (t) => {
    const { gateway, url, ca, tls } = await secureGateway(t, mode);
    const answer = await askSecurely(`${url}/dns/x`, { ca });
    t.like(answer, { status: 200, subject: 'first', protocol: 'TLSv1.3' });
    t.is(JSON.parse(answer.body).headers['x-forwarded-proto'], 'https');
    t.is((await askSecurely(`${url}/dns/x`, { ca, maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    await t.throwsAsync(askSecurely(`${url}/dns/x`, { ca, maxVersion: 'TLSv1.1' }));
    const answers = await askByHttp2(url, ['/dns/a', '/dns/b', '/nowhere'], { ca });
    t.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 404],
    );
    t.is(JSON.parse(answers[1]?.body ?? '').url, '/b');
    t.is((await gateway.ask('/dns/x')).status, 200);
    const http = await ask(`${url.replace('https:', 'http:')}/dns/x`);
    t.like([http.status, JSON.parse(http.body).error.code], [400, 'BAD_REQUEST']);

    const status = await gateway.status();
    t.like(status.tls, { url, names: ['127.0.0.1'], redirect: false });
    t.is((await gateway.record()).tls?.notAfter, status.tls?.notAfter);
    t.regex(await alarmOf(gateway), /the certificate expires in 1 days/);
    const paths = gatewayPaths(gateway.dir);
    const secret = readFileSync(tls.key, 'utf8').split('\n')[1] ?? '';
    t.true(secret.length > 40);
    for (const path of [paths.config, paths.door, paths.statusJson])
      t.false(readFileSync(path, 'utf8').includes(secret));
    const { key } = JSON.parse(readFileSync(paths.door, 'utf8')).tls;
    t.is(statSync(key).mode & 0o777, 0o600);
  });

  test('a changed pair is taken up; a broken or foreign one is refused with its reason, also over a restart without the files', async (t) => {
    const { gateway, url, ca, authority, tls, put } = await secureGateway(t, mode);
    const subject = async () => (await askSecurely(`${url}/dns/x`, { ca })).subject;
    put(await authority.issue('second', ['127.0.0.1']));
    await eventually('the second certificate', async () => (await subject()) === 'second');
    const third = await authority.issue('third', ['127.0.0.1']);
    writeFileSync(tls.key, third.key);
    await eventually('refused', async () => /does not belong to the certificate/.test(await alarmOf(gateway)));
    t.is(await subject(), 'second');
    const stays = /does not belong .*; the one before stays/;
    await eventually('told by the page', async () => stays.test((await gateway.status()).alarm));
    writeFileSync(tls.certificate, 'nonsense');
    await eventually('refused', async () => /does not begin with a certificate/.test(await alarmOf(gateway)));
    t.is(await subject(), 'second');
    await gateway.end();
    await Promise.all([rm(tls.key), rm(tls.certificate)]);
    gateway.start({ mode });
    await eventually('refused', async () => /there is no file/.test((await gateway.status()).alarm));
    t.is(await subject(), 'second');
    put(third);
    await eventually('the third certificate', async () => (await subject()) === 'third');
    t.notRegex((await gateway.status()).alarm, /certificate in/);
  });

  test('HTTP sends services on to HTTPS where that is declared; a taken port keeps nobody from routing', async (t) => {
    const { gateway, url, ca, declare } = await secureGateway(t, mode, { redirect: true });
    const sent = await gateway.ask('/dns/x?y=1', { host: 'api.example' });
    t.is(sent.status, 308);
    t.is(sent.headers.location, `https://api.example:${new URL(url).port}/dns/x?y=1`);
    t.is((await gateway.ask('/healthz')).status, 200);
    t.is((await askSecurely(`${url}/dns/x`, { ca })).status, 200);

    const other = createServer();
    const taken = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    t.teardown(() => other.close());
    await declare({ port: taken }, 2);
    await eventually('refused', async () => new RegExp(`port ${taken} .* is taken`).test(await alarmOf(gateway)));
    const backend = await startBackend(t, 'two');
    await gateway.register(sampleRegistration('mail', '1', 2, { address: '127.0.0.1', port: backend.port }));
    await gateway.settled();
    t.is((await askSecurely(`${url}/mail/x`, { ca })).status, 200);
  });
}
