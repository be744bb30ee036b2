/** What one thread tells another of the parts of all services, and how the other one keeps them. */
import test from 'ava';
import fc from 'fast-check';
import { toldPart } from '../../../proxy-daemon/document/describe-service.ts';
import { groupsOf } from '../../../proxy-daemon/document/part-groups.ts';
import { PartsHeld, PartsTold } from '../../../proxy-daemon/document/parts-held.ts';
import type { ServicePart } from '../../../proxy-daemon/document/service-part.ts';

const services = Array.from({ length: 40 }, (_, at) => `service-${at}`).sort();

function partOf(service: string, revision: number): ServicePart {
  return toldPart(service, { sources: [], leftOut: [{ service, version: '1', reason: `${revision}` }] });
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

/** Changes some services, begins or ends some others; now and then what was told is forgotten, or nobody looks. */
const step = fc.record({
  changed: fc.uniqueArray(fc.nat(services.length - 1), { maxLength: 5 }),
  turned: fc.uniqueArray(fc.nat(services.length - 1), { maxLength: 2 }),
  turns: fc.boolean(),
  forgets: fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
  looks: fc.boolean(),
});

test('what is held is what was told last, in the groups that it would have from scratch', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const [told, held] = [new PartsTold(), new PartsHeld()];
      const there = new Map<string, ServicePart>();
      let revision = 0;
      let [number, seen] = [0, new Map<string, ServicePart>()];
      for (const { changed, turned, turns, forgets, looks } of steps) {
        revision += 1;
        for (const at of changed) there.set(services[at] ?? '', partOf(services[at] ?? '', revision));
        for (const at of turns ? turned : []) {
          if (!there.delete(services[at] ?? '')) there.set(services[at] ?? '', partOf(services[at] ?? '', revision));
        }
        const parts = services.flatMap((service) => there.get(service) ?? []);
        if (forgets) told.forget();
        t.true(held.update(told.update(parts)));
        t.deepEqual(held.all(), parts);
        t.deepEqual(held.groups(), groupsOf(parts));
        if (!looks) continue;
        const change = held.changesSince(number);
        if (change) {
          for (const service of change.gone) seen.delete(service);
          for (const part of change.changed) seen.set(part.service, part);
          t.deepEqual([...seen].sort(byName), [...there].sort(byName), 'what is said to have changed is all that did');
        }
        [number, seen] = [held.number, new Map(there)];
      }
    }),
  );
});

test('one change is told as one, and changes one group', (t) => {
  const [told, held] = [new PartsTold(), new PartsHeld()];
  const parts = services.map((service) => partOf(service, 1));
  held.update(told.update(parts));
  const { number } = held;
  const groups = held.groups();
  t.true(groups.length > 3);
  const next = parts.with(17, partOf(services[17] ?? '', 2));
  held.update(told.update(next));
  t.deepEqual(held.changesSince(number), { changed: [next[17]], gone: [] } as never);
  t.is(held.groups().filter((group, at) => group !== groups[at]).length, 1);
  t.deepEqual(held.changesSince(held.number), { changed: [], gone: [] });
  t.is(held.changesSince(number - 1), null, 'who did not look in between must look at all');
});

test('an update on top of another one than that held is refused, and changes nothing', (t) => {
  const [told, held] = [new PartsTold(), new PartsHeld()];
  held.update(told.update([partOf('a', 1)]));
  told.update([partOf('a', 2)]);
  const before = held.all();
  t.false(held.update(told.update([partOf('a', 3)])));
  t.is(held.all(), before);
  t.is(held.number, 1);
});
