import test from 'ava';
import { checkSpec, type GateSubject } from '../../../mcp/control/spec-gate.ts';
import { DocumentThread } from '../../../proxy-daemon/document/document-thread.ts';
import { type DocumentServer, smallDocument, startDocumentServer } from '../../helpers/document-server.ts';
import { freePort } from '../../helpers/free-port.ts';

const thread = new DocumentThread();
const limits = { timeoutMs: 20_000, maxBytes: 2_000_000 };
let live: DocumentServer;
let next: DocumentServer;

test.before(async () => {
  live = await startDocumentServer(smallDocument(['/things', '/old']));
  next = await startDocumentServer(smallDocument(['/things']));
});

test.after.always(async () => {
  await Promise.all([thread.close(), live?.close(), next?.close()]);
});

const instance = ({ address, port }: { address: string; port: number }, version: string) => ({
  address,
  port,
  version,
  document: '/openapi.json',
});

function check(more: Partial<GateSubject> = {}) {
  const subject: GateSubject = {
    service: 'dns',
    route: '/dns',
    live: [instance(live, '1.0.0')],
    next: [instance(next, '2.0.0')],
    calls: null,
    allowBreaking: null,
    ...more,
  };
  return checkSpec(subject, { thread, limits });
}

test.serial('a removed operation stops the rollout, and goes on where somebody said why', async (t) => {
  next.serve(smallDocument(['/things']));
  const calls = [{ service: 'dns', method: 'get', pathTemplate: '/old', calls: 3 }];
  const stopped = await check({ calls });
  t.like(stopped, { verdict: 'stop', why: '1 change breaks callers; requests still meet 1 of what breaks' });
  t.like(stopped.report, {
    live: '1.0.0',
    next: '2.0.0',
    findings: [{ kind: 'operation-removed', calls: { calls: 3 } }],
  });
  const allowed = await check({ allowBreaking: 'nobody needs it' });
  t.like(allowed, { verdict: 'go', why: '1 change breaks callers; allowed: nobody needs it' });
});

test.serial('what only adds goes on', async (t) => {
  next.serve(smallDocument(['/things', '/old', '/new']));
  t.like(await check(), { verdict: 'go', why: '1 change for callers, all safe' });
});

test.serial('a new version without a usable document stops where there was one', async (t) => {
  next.serve({ nothing: 'usable' });
  t.like(await check(), { verdict: 'stop', report: null });
  t.regex((await check()).why, /^the new document is unusable: DOCUMENT_VERSION/);
  const none = [{ ...instance(next, '2.0.0'), document: undefined }];
  t.like(await check({ next: none }), { verdict: 'stop', why: 'the new version serves no document any more' });
});

test.serial('what is not there yet is waited for; what never had a document needs none', async (t) => {
  const dead = instance({ address: '127.0.0.1', port: await freePort() }, '2.0.0');
  t.like(await check({ next: [] }), { verdict: 'wait' });
  t.like(await check({ next: [dead] }), { verdict: 'wait' });
  next.serve(smallDocument(['/things', '/old']));
  t.like(await check({ next: [dead, instance(next, '2.0.0')] }), { verdict: 'go', why: 'nothing changed for callers' });
  t.like(await check({ live: [{ ...instance(live, '1.0.0'), document: undefined }] }), { verdict: 'go', report: null });
});

test.serial('a live document that can never be read does not lock the service in', async (t) => {
  live.serve({ nothing: 'usable' });
  const verdict = await check();
  live.serve(smallDocument(['/things', '/old']));
  t.is(verdict.verdict, 'go');
  t.regex(verdict.why, /^the live document is unusable, so nothing is compared: DOCUMENT_VERSION/);
});
