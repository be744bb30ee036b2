/** What the spec gate reads: two instances' documents, over HTTP, compared off the event loop. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { compareRelease, type Release } from '../../../mcp/control/compare-release.ts';
import { DocumentThread } from '../../../proxy-daemon/document/document-thread.ts';
import { defaultLimits } from '../../../proxy-daemon/document/fetch-document.ts';
import type { RegistrationRecord } from '../../../registrar/records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';

function documentOf(...paths: string[]): string {
  const get = { get: { responses: { 200: { description: 'ok' } } } };
  const info = { title: 'zones', version: '1' };
  return JSON.stringify({ openapi: '3.1.0', info, paths: Object.fromEntries(paths.map((path) => [path, get])) });
}

async function instance(t: ExecutionContext, version: string, body: string): Promise<RegistrationRecord> {
  const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const known = { schema: 1, service: 'dns', machine: 'm', state: 'up', at: 0 } as const;
  return { ...known, version, address: '127.0.0.1', port, document: '/openapi.json' };
}

test('what callers of the live instance meet at the new one, or why nothing can be said', async (t) => {
  t.timeout(120_000);
  const thread = new DocumentThread();
  t.teardown(() => thread.close());
  const context = { clock: systemClock, thread, signal: new AbortController().signal };
  const live = await instance(t, '1.0.0', documentOf('/zones', '/zones/{id}'));
  const next = await instance(t, '2.0.0', documentOf('/zones', '/areas'));
  const compare = (release: Partial<Release>) =>
    compareRelease({ route: '/dns', live, next, limits: defaultLimits, ...release }, context);

  const broken = await compare({});
  t.is(broken.verdict, 'breaking');
  t.is(broken.words, 'the documents of 1.0.0 and 2.0.0: 1 change breaks callers');
  t.like(broken.findings[0], { severity: 'breaking', operations: ['GET /zones/{id}'] });
  t.is(
    (await compare({ next: await instance(t, '1.0.1', documentOf('/zones', '/zones/{id}', '/new')) })).verdict,
    'safe',
  );

  const unread = await compare({ next: await instance(t, '2.0.0', 'this is no document') });
  t.is(unread.verdict, 'breaking');
  t.regex(unread.words, /the document of 2\.0\.0 can't be read: /);
  t.is((await compare({ limits: { ...defaultLimits, maxBytes: 20 } })).verdict, 'breaking');

  t.like(await compare({ live: null }), {
    verdict: 'skipped',
    words: 'the document of 2.0.0 is compared with none: no instance that serves has one',
  });
  t.is((await compare({ live: await instance(t, '1.0.0', '{}') })).verdict, 'skipped');
  await t.throwsAsync(
    compareRelease(
      { route: '/dns', live, next, limits: defaultLimits },
      { ...context, signal: AbortSignal.abort(new Error('over')) },
    ),
    { message: 'over' },
  );
});
