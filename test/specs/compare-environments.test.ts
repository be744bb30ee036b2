import test from 'ava';
import fc from 'fast-check';
import { allowanceFor, compareEnvironments, needsConfirmation } from '../../specs/compare-environments.ts';
import type { Environment, Service, Version } from '../../specs/nouns.ts';

interface Wanted {
  count: number;
  digest?: string;
  weight?: number;
}

function version(name: string, { count, digest = 'd', weight }: Wanted): Version {
  const health = { kind: 'tcp', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 3 } as const;
  return {
    version: name,
    count,
    ...(weight === undefined ? {} : { weight }),
    command: ['x'],
    port: 80,
    env: {},
    health,
    digest,
  };
}

function environment(services: Record<string, Record<string, Wanted>>, changed: Partial<Service> = {}): Environment {
  return {
    name: 'e',
    pool: { size: 1, image: 'process' },
    gateway: { title: 'e', description: '' },
    services: Object.entries(services).map(([name, versions]) => ({
      name,
      route: `/${name}`,
      config: {},
      onConfigChange: 'restart',
      drainTimeoutMs: 30_000,
      stopTimeoutMs: 5000,
      versions: Object.entries(versions).map(([each, wanted]) => version(each, wanted)),
      ...changed,
    })),
  };
}

test('against nothing, all is added', (t) => {
  const diff = compareEnvironments(undefined, environment({ dns: { v1: { count: 2 } } }));
  t.like(diff, { change: 'added', countBefore: 0, countAfter: 2, settings: [] });
  t.like(diff.services[0], { service: 'dns', change: 'added', countBefore: 0, countAfter: 2 });
});

test('against itself, nothing changes, is given up, or must be confirmed', (t) => {
  const same = environment({ dns: { v1: { count: 2 } }, mail: { v1: { count: 0 } } });
  const diff = compareEnvironments(same, structuredClone(same));
  t.is(diff.change, 'same');
  t.true(
    diff.services.every(
      (service) => service.change === 'same' && service.versions.every(({ change }) => change === 'same'),
    ),
  );
  t.deepEqual(allowanceFor(same, same), {});
  t.is(needsConfirmation(same, same), undefined);
});

test('each change is told apart: added, removed, counts, weights, what runs, settings', (t) => {
  const before = environment({
    dns: { v1: { count: 2 }, v2: { count: 1, weight: 10 } },
    mail: { v1: { count: 1 } },
    web: { v1: { count: 3, digest: 'old' } },
  });
  const after = environment(
    {
      web: { v1: { count: 3, digest: 'new' } },
      dns: { v1: { count: 4 }, v2: { count: 1, weight: 20 } },
      logs: { v1: { count: 1 } },
    },
    { config: { level: 'info' }, drainTimeoutMs: 1 },
  );
  const diff = compareEnvironments(before, after);
  t.deepEqual(
    diff.services.map(({ service, change }) => [service, change]),
    [
      ['web', 'changed'],
      ['dns', 'changed'],
      ['logs', 'added'],
      ['mail', 'removed'],
    ],
  );
  const [web, dns] = diff.services;
  t.deepEqual(web?.settings, ['config', 'drainTimeoutMs']);
  t.like(web?.versions[0], { digestChanged: true, countBefore: 3, countAfter: 3, change: 'changed' });
  t.like(dns?.versions[0], { digestChanged: false, countBefore: 2, countAfter: 4 });
  t.like(dns?.versions[1], { weightBefore: 10, weightAfter: 20, change: 'changed' });
});

test('settings of the environment itself are told too', (t) => {
  const before = environment({});
  const after = { ...before, pool: { size: 5, image: 'process' } };
  t.like(compareEnvironments(before, after), { change: 'changed', settings: ['pool'] });
});

test('the allowance is what the author gives up: instances no longer wanted and those that must be replaced', (t) => {
  const before = environment({
    shrunk: { v1: { count: 5 } },
    grown: { v1: { count: 2 } },
    replaced: { v1: { count: 3, digest: 'a' } },
    moved: { v1: { count: 4 }, v2: { count: 0 } },
    removed: { v1: { count: 6 } },
  });
  const after = environment({
    shrunk: { v1: { count: 3 } },
    grown: { v1: { count: 9 } },
    replaced: { v1: { count: 9, digest: 'b' } },
    moved: { v2: { count: 4 } },
  });
  t.deepEqual(allowanceFor(before, after), { shrunk: 2, replaced: 3, moved: 4, removed: 6 });
  t.deepEqual(allowanceFor(undefined, after), {});
});

test('a cut of more than half must be confirmed, half itself not', (t) => {
  const of = (count: number) => environment({ dns: { v1: { count } } });
  t.is(needsConfirmation(of(4), of(2)), undefined);
  t.is(
    needsConfirmation(of(4), of(1)),
    'this takes away more than half of the instances: cuts service dns from 4 to 1; all instances go from 4 to 1',
  );
  t.is(needsConfirmation(of(0), of(0)), undefined);
  t.truthy(needsConfirmation(of(1), of(0)));
  t.is(needsConfirmation(undefined, of(0)), undefined);
});

test('a removed service must be confirmed, also where most instances stay', (t) => {
  const before = environment({ dns: { v1: { count: 10 } }, mail: { v1: { count: 1 } } });
  t.is(
    needsConfirmation(before, environment({ dns: { v1: { count: 10 } } })),
    'this takes away more than half of the instances: removes service mail (1)',
  );
});

test('many small cuts that are more than half together must be confirmed', (t) => {
  const many = (count: number, services: number) =>
    environment(Object.fromEntries(Array.from({ length: services }, (_, n) => [`s${n}`, { v1: { count } }])));
  t.regex(needsConfirmation(many(3, 9), many(1, 9)) ?? '', /4 more like these; all instances go from 27 to 9$/);
});

test('a version that takes the place of another needs no confirmation', (t) => {
  const before = environment({ dns: { v1: { count: 4 } } });
  t.is(needsConfirmation(before, environment({ dns: { v2: { count: 4 } } })), undefined);
});

const anyEnvironment = fc
  .dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.dictionary(
      fc.constantFrom('v1', 'v2'),
      fc.record({ count: fc.nat({ max: 9 }), digest: fc.constantFrom('x', 'y') }),
    ),
  )
  .map((services) => environment(services));

test('the allowance never passes what was there, and is at least what the counts lose', (t) => {
  fc.assert(
    fc.property(anyEnvironment, anyEnvironment, (before, after) => {
      const allowance = allowanceFor(before, after);
      return compareEnvironments(before, after).services.every(({ service, countBefore, countAfter }) => {
        const given = allowance[service] ?? 0;
        return given <= countBefore && given >= countBefore - countAfter;
      });
    }),
  );
  t.pass();
});
