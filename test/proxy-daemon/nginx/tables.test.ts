import { appendFileSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { stopNginx } from '../../../proxy-daemon/main.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { runNginx } from '../../../proxy-daemon/nginx/run-nginx.ts';
import { SentTables } from '../../../proxy-daemon/nginx/table-changes.ts';
import { messageText, readMessages, type TableMessage } from '../../../proxy-daemon/nginx/table-message.ts';
import { loadTables, TableStore } from '../../../proxy-daemon/nginx/table-store.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { entryInstances, serviceEntry } from '../../../proxy-daemon/routes/service-entry.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { testGateway } from '../../helpers/gateway.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { nastyWorld } from '../../helpers/nasty.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const peer = '[0-9a-f.:]{2,39},[0-9]{1,5},[0-9]+';
const peers = `(?:${peer}(?:;${peer})*)?`;
const version = `\\t[0-9A-Za-z][0-9A-Za-z.-]{0,39}\\t[0-9.e-]+\\t${peers}\\t${peers}`;
const operation =
  'split=[A-Z]+,(?:/[A-Za-z0-9._~%:@*-]*)+,[0-9A-Za-z][0-9A-Za-z.-]*:[0-9.]+(?:;[0-9A-Za-z][0-9A-Za-z.-]*:[0-9.]+)*';
const word = `(?:sticky=(?:cookie|client|http_[a-z0-9_]+)|override=http_[a-z0-9_]+|mirror=[0-9A-Za-z][0-9A-Za-z.-]*:[0-9.]+|${operation})`;
const choice = `${word}(?: ${word})*`;
const entry = new RegExp(
  `^[a-z0-9-]{1,40}\\t/[a-z0-9._~/-]*\\t(?:http|grpc)\\t(?:-|\\d+,\\d+,\\d+)\\t\\d+\\t[0-9.]+\\t[01]\\t\\d+\\t\\d+\\t\\d+(?:${version})*(?:\\t${choice})?$`,
  'i',
);

test('whatever the registry holds, an entry holds nothing but what its fields may, and a message its lines', (t) => {
  fc.assert(
    fc.property(nastyWorld, ({ desired, registrations }) => {
      const table = makeRoutes({ desired, registrations, previous: emptyRouteTable, dead: new Set(), now: 0 });
      const { set } = new SentTables('a').changes(table, 5);
      for (const [, text] of set) t.regex(text, entry);
      const text = messageText({ generation: 1, base: null, depths: [1], listed: [], set, remove: [] });
      t.deepEqual(readMessages(text), [{ generation: 1, full: true, set, remove: [] }]);
      t.is(text.split('\n').length, set.length + 6);
    }),
    { numRuns: 500 },
  );
});

test('only what changed is sent; an instance is new once, and one that comes back is new again', (t) => {
  const tableOf = (registrations: Parameters<typeof makeRoutes>[0]['registrations'], previous = emptyRouteTable) =>
    makeRoutes({ desired: null, registrations, previous, dead: new Set(), now: 0 });
  const [a, b, c] = ['a', 'b', 'a'].map((service, n) => sampleRegistration(service, '1', n + 1));
  if (!a || !b || !c) return t.fail();
  const sent = new SentTables(null);
  const told: string[] = [];
  const send = (registrations: (typeof a)[], now: number) => {
    const changes = sent.changes(tableOf(registrations), now);
    sent.commit(changes, (key, isRouted) => told.push(`${isRouted ? '+' : '-'}${key}`));
    return changes;
  };
  t.is(send([a, b], 100).set.length, 2);
  t.deepEqual(send([a, b], 200), { set: [], remove: [] });
  const [grown] = send([a, b, c], 300).set;
  t.deepEqual([...entryInstances(grown?.[1] ?? '').values()], [0, 300], 'what was there at first is not new');
  const draining = { ...c, record: { ...c.record, state: 'draining' as const } };
  send([a, b, draining], 400);
  t.deepEqual([...entryInstances(send([a, b, c], 500).set[0]?.[1] ?? '').values()], [0, 500]);
  t.deepEqual(send([a, c], 600), { set: [], remove: ['/b'] });
  const key = 'a 127.1.0.3:8080';
  t.deepEqual(told.slice(2), [`+${key}`, `-${key}`, `+${key}`, '-b 127.1.0.2:8080']);
});

test('the own zone is preferred while it has half of an even share', (t) => {
  const routeOf = (zones: string[]) => {
    const registrations = zones.map((zone, n) => sampleRegistration('dns', '1', n + 1, { zone }));
    const desired = sampleEnvironment([sampleService('dns', [sampleVersion('1', zones.length)])]);
    const table = makeRoutes({ desired, registrations, previous: emptyRouteTable, dead: new Set(), now: 0 });
    return table.routes[0];
  };
  const nearOf = (zones: string[]) => {
    const route = routeOf(zones);
    const text = route ? serviceEntry(route, { zone: 'a', since: () => 0 }) : null;
    return text?.split('\t')[12]?.split(';').length;
  };
  t.is(nearOf(['a', 'a', 'b', 'b']), 2);
  t.is(nearOf(['a', 'b', 'b', 'b']), 1);
  t.is(nearOf(['a', 'b', 'b', 'b', 'b']), 5, 'too few: all');
  t.is(nearOf(['b', 'b']), 2, 'none: all');
});

const stored = (generation: number, set: [string, string][], more: Partial<TableMessage> = {}): TableMessage => ({
  ...{ generation, base: generation - 1, depths: [1], listed: [], remove: [], set },
  ...more,
});

test('the tables on disk: snapshot and journal, without what was torn', async (t) => {
  const paths = gatewayPaths(await tempDir(t));
  const store = new TableStore(paths, systemClock);
  t.is(loadTables(paths).generation, 0);
  const both: [string, string][] = [
    ['/a', 'one'],
    ['/b', 'two'],
  ];
  await store.replace(stored(4, both, { base: null }));
  await store.append(messageText(stored(5, [['/c', 'three']], { remove: ['/a'] })));
  await store.append(messageText(stored(3, [['/old', 'older than the snapshot']])));
  appendFileSync(join(paths.tables, 'journal'), 'generation 6\nbase 5\nset /d fo');
  const { generation, entries } = loadTables(paths);
  t.is(generation, 5);
  t.deepEqual(
    [...entries],
    [
      ['/b', 'two'],
      ['/c', 'three'],
    ],
  );
});

test('a long journal becomes a part of the snapshot: whenever that is cut off, nothing of what was appended is missing', async (t) => {
  const paths = gatewayPaths(await tempDir(t));
  const store = new TableStore(paths, systemClock);
  const names = () => readdirSync(paths.tables).toSorted();
  const all = Array.from({ length: 2000 }, (_, n): [string, string] => [`/s${n}`, `entry ${n} `.repeat(60)]);
  const everything = (generation: number) => stored(generation, all.slice(0, generation), { base: null });
  const isWhole = (generation: number) => {
    const found = loadTables(paths);
    t.is(found.generation, generation);
    t.deepEqual([...found.entries], all.slice(0, generation));
  };
  let generation = 0;
  const append = async () => {
    generation += 1;
    await store.append(messageText(stored(generation, all.slice(generation - 1, generation))));
  };
  await store.replace(everything(0));
  while (!store.isJournalLong()) await append();
  const merging = store.merge(everything(generation));
  t.false(store.isJournalLong(), 'one at a time');
  let turns = 0;
  const seen = new Set<string>();
  while (names().join() !== 'journal,snapshot' || turns < 3) {
    seen.add(names().join(' '));
    await append();
    isWhole(generation);
    turns += 1;
  }
  t.true(seen.has('journal journal.before snapshot snapshot.new'), [...seen].join('; '));
  await merging;
  isWhole(generation);
  t.true(statSync(join(paths.tables, 'journal')).size < 1_000_000);

  // One that fails leaves all as it was, and the next one takes along what it left.
  symlinkSync('/dev/full', join(paths.tables, 'snapshot.new'));
  await t.throwsAsync(store.merge(everything(generation)), { code: 'ENOSPC' });
  await append();
  isWhole(generation);
  t.is(names().join(' '), 'journal journal.before snapshot');
  await store.merge(everything(generation));
  isWhole(generation);
  t.is(names().join(' '), 'journal snapshot');
});

test('nginx starts with all of them, also where the daemon was killed while it made another snapshot', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  const paths = gatewayPaths(gateway.dir);
  gateway.start({ mode: 'dynamic' });
  for (const [n, service] of ['dns', 'mail', 'web'].entries()) {
    await gateway.register(sampleRegistration(service, '1', n + 1, { address: '127.0.0.1', port: backend.port }));
    await gateway.settled();
    // As a merging leaves it that was begun after the second one.
    if (n === 1) renameSync(join(paths.tables, 'journal'), join(paths.tables, 'journal.before'));
  }
  await gateway.end();
  await stopNginx(gateway.dir, systemClock, 500);
  const started = await runNginx(['-p', gateway.dir, '-c', paths.config], gateway.dir);
  t.true(started.ok, started.output);
  for (const service of ['dns', 'mail', 'web']) {
    await eventually(service, async () => (await gateway.ask(`/${service}/x`).catch(() => null))?.status === 200);
  }
});
