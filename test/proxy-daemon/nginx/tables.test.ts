import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { SentTables } from '../../../proxy-daemon/nginx/table-changes.ts';
import { messageText, readMessages } from '../../../proxy-daemon/nginx/table-message.ts';
import { TableStore } from '../../../proxy-daemon/nginx/table-store.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { entryInstances, serviceEntry } from '../../../proxy-daemon/routes/service-entry.ts';
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

test('the tables on disk: snapshot and journal, without what was torn', async (t) => {
  const paths = gatewayPaths(await tempDir(t));
  const common = { depths: [1], listed: [], remove: [] };
  const store = new TableStore(paths);
  t.is(store.load().generation, 0);
  store.replace({
    ...common,
    generation: 4,
    base: null,
    set: [
      ['/a', 'one'],
      ['/b', 'two'],
    ],
  });
  store.append(messageText({ ...common, generation: 5, base: 4, set: [['/c', 'three']], remove: ['/a'] }));
  store.append(messageText({ ...common, generation: 3, base: 2, set: [['/old', 'older than the snapshot']] }));
  appendFileSync(join(paths.tables, 'journal'), 'generation 6\nbase 5\nset /d fo');
  const { generation, entries } = new TableStore(paths).load();
  t.is(generation, 5);
  t.deepEqual(
    [...entries],
    [
      ['/b', 'two'],
      ['/c', 'three'],
    ],
  );
});
