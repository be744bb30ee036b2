import test from 'ava';
import fc from 'fast-check';
import { type DescribedService, toldPart } from '../../../proxy-daemon/document/describe-service.ts';
import { DescribedServices } from '../../../proxy-daemon/document/described-services.ts';

const services = Array.from({ length: 12 }, (_, at) => ({ service: `service-${at}` })).sort((a, b) =>
  a.service < b.service ? -1 : 1,
);

function described(service: string, revision: number): DescribedService {
  const part = toldPart(service, { sources: [], leftOut: [{ service, version: '1', reason: `${revision}` }] });
  return { part, states: [], operations: revision };
}

test('what is kept up to date is what would be put together from scratch, whatever was touched', (t) => {
  const touched = fc.uniqueArray(fc.constantFrom(...services.map(({ service }) => service)), { maxLength: 4 });
  const step = fc.record({ touched, forgotten: touched, isSaid: fc.integer({ min: 0, max: 3 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const told = new Map<string, DescribedService>();
      const get = (service: string) => told.get(service);
      const kept = new DescribedServices();
      for (const [revision, { touched: some, forgotten, isSaid }] of steps.entries()) {
        for (const service of some) told.set(service, described(service, revision));
        // Forgotten ones are touched, or the plan is told to be another.
        for (const service of isSaid === 0 ? forgotten : []) told.delete(service);
        kept.update(services, isSaid === 0 ? null : new Set(some), get);
        const scratch = new DescribedServices();
        scratch.update(services, null, get);
        t.deepEqual([...kept.all], [...scratch.all]);
        t.deepEqual([...kept.parts], [...scratch.parts]);
        t.deepEqual([...kept.digests], [...scratch.digests]);
        t.is(kept.operations, scratch.operations);
      }
    }),
  );
});

test('the lists of before stay as they were: a document that is being written has them', (t) => {
  const kept = new DescribedServices();
  const told = new Map(services.map(({ service }) => [service, described(service, 1)]));
  kept.update(services, null, (service) => told.get(service));
  const { parts } = kept;
  const before = [...parts];
  const [{ service = '' } = {}] = services;
  told.set(service, described(service, 2));
  kept.update(services, new Set([service]), (name) => told.get(name));
  t.deepEqual([...parts], before);
  t.is(kept.parts.filter((part, at) => part !== before[at]).length, 1);
});
