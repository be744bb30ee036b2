import test from 'ava';
import fc from 'fast-check';
import { DocumentTargets } from '../../../proxy-daemon/document-targets.ts';
import { SentTables } from '../../../proxy-daemon/nginx/table-changes.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { routeDifferences } from '../../../proxy-daemon/routes/route-differences.ts';
import { byPrefix, emptyRouteTable, type Route } from '../../../proxy-daemon/routes/route-table.ts';
import { RoutedTotal } from '../../../proxy-daemon/routes/routed-total.ts';
import { serviceEntry } from '../../../proxy-daemon/routes/service-entry.ts';
import { sampleRegistration } from '../../helpers/sample-world.ts';

/** Routes with the same prefix made anew, some of which say the same. */
const routes = Array.from({ length: 24 }, (_, n): Route => {
  const document = n % 3 === 0 ? '/openapi.json' : null;
  const registrations = Array.from({ length: 1 + (n % 4 === 3 ? 1 : 0) }, (_, at) =>
    sampleRegistration(`s${n % 8}`, '1', at + 1 + Math.floor(n / 16), { ...(document ? { document } : {}) }),
  );
  const { routes } = makeRoutes({ desired: null, registrations, previous: emptyRouteTable, dead: new Set(), now: n });
  return routes[0] as Route;
});

/** A list as tables have it: in order, one route a prefix. */
const list = fc
  .subarray(routes)
  .map((some) => [...new Map(some.map((route) => [route.prefix, route])).values()].sort(byPrefix));

test('what left and what entered lead from any list of routes to any other', (t) => {
  fc.assert(
    fc.property(list, list, (before, after) => {
      const { left, entered } = routeDifferences(before, after);
      t.deepEqual(
        left,
        before.filter((route) => !after.includes(route)),
      );
      t.deepEqual(
        entered,
        after.filter((route) => !before.includes(route)),
      );
    }),
  );
  t.pass();
});

test('counted on from table to table, instances and document targets are as counted anew', (t) => {
  fc.assert(
    fc.property(fc.array(list, { maxLength: 8 }), (lists) => {
      const [total, targets] = [new RoutedTotal(), new DocumentTargets()];
      for (const one of lists) {
        t.is(total.of(one), new RoutedTotal().of(one));
        t.deepEqual(targets.of(one), new DocumentTargets().of(one));
        t.is(targets.of(one), targets.of([...one]), 'the same array where nothing differs');
      }
    }),
  );
  t.pass();
});

test('whatever was sent, failed to be sent, or was there before: nginx ends up with the entries of the last table', (t) => {
  const step = fc.record({ routes: list, isSent: fc.boolean(), isLookedAtTwice: fc.boolean() });
  const entryOf = (route: Route) => serviceEntry(route, { zone: null, since: () => 0 }) ?? '';
  const withoutTimes = (entry: string) => entry.replace(/(\d+,)\d+(?=[;\t])/g, '$10');
  fc.assert(
    fc.property(fc.option(list), fc.array(step, { maxLength: 8 }), (restored, steps) => {
      const sent = new SentTables(null);
      let inNginx = new Map<string, string>();
      if (restored) inNginx = new Map(restored.map((route) => [route.prefix, entryOf(route)]));
      sent.restore(inNginx);
      for (const [now, { routes, isSent, isLookedAtTwice }] of steps.entries()) {
        const table = { ...emptyRouteTable, routes };
        if (isLookedAtTwice) sent.changes(table, now);
        const changes = sent.changes(table, now);
        if (!isSent) continue;
        for (const prefix of changes.remove) t.true(inNginx.delete(prefix), 'only what is there is removed');
        for (const [prefix, entry] of changes.set) {
          t.not(inNginx.get(prefix), entry, 'only what differs is sent');
          inNginx.set(prefix, entry);
        }
        sent.commit(changes, () => {});
        const sorted = (entries: Iterable<[string, string]>) =>
          [...entries].map(([, text]) => withoutTimes(text)).sort();
        t.deepEqual(sorted(inNginx), routes.map((route) => withoutTimes(entryOf(route))).sort());
        t.deepEqual(sorted(sent.everything({ set: [], remove: [] })), sorted(inNginx));
        t.is(sent.summary({ set: [], remove: [] }).listed.length, routes.length);
      }
    }),
    { numRuns: 200 },
  );
});
