import test from 'ava';
import fc from 'fast-check';
import { type DescribedService, toldPart } from '../../../proxy-daemon/document/describe-service.ts';
import {
  type DescribedServices,
  describedServices,
  describedWith,
  nothingDescribed,
} from '../../../proxy-daemon/document/described-services.ts';

const services = Array.from({ length: 12 }, (_, at) => ({ service: `service-${at}` })).sort((a, b) =>
  a.service < b.service ? -1 : 1,
);

function described(service: string, revision: number): DescribedService {
  const part = toldPart(service, { sources: [], leftOut: [{ service, version: '1', reason: `${revision}` }] });
  return { part, states: [], operations: revision };
}

test('what is kept up to date is what would be put together from scratch, whatever was touched', (t) => {
  const touched = fc.uniqueArray(fc.constantFrom(...services.map(({ service }) => service)), { maxLength: 4 });
  const none = fc.constant<string[]>([]);
  const step = fc.record({ touched, forgotten: fc.oneof({ weight: 3, arbitrary: none }, touched) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const told = new Map<string, DescribedService>();
      const get = (service: string) => told.get(service);
      let kept: DescribedServices = nothingDescribed;
      for (const [revision, { touched: some, forgotten }] of steps.entries()) {
        for (const service of some) told.set(service, described(service, revision));
        for (const service of forgotten) told.delete(service);
        const scratch = describedServices(services, get);
        const known = describedWith(kept, [...some, ...forgotten], get);
        const isSame =
          scratch.parts.map(({ service }) => service).join() === kept.parts.map((part) => part.service).join();
        t.is(known !== null, isSame, 'only who came or went is a reason to look at all');
        if (known) t.deepEqual(known, scratch);
        kept = known ?? scratch;
      }
    }),
  );
});

test('the lists of before stay as they were: a document that is being written has them', (t) => {
  const told = new Map(services.map(({ service }) => [service, described(service, 1)]));
  const kept = describedServices(services, (service) => told.get(service));
  const before = structuredClone(kept);
  const [{ service = '' } = {}] = services;
  told.set(service, described(service, 2));
  const next = describedWith(kept, [service], (name) => told.get(name));
  t.deepEqual(kept, before);
  t.is(next?.parts.filter((part, at) => part !== kept.parts[at]).length, 1);
});
