import fc from 'fast-check';
import type { LiveRegistration } from '../../proxy-daemon/routes/route-table.ts';
import type { ChoiceSpec } from '../../specs/choice.ts';
import type { Environment } from '../../specs/nouns.ts';
import { sampleEnvironment, sampleService, sampleVersion } from './sample-world.ts';

/** What would like to be a directive, a line or a field of its own in nginx's configuration. */
export const hostileWords = [
  'x;',
  '} server {',
  'a"b',
  "a'b",
  '$uri',
  '$' + '{a}',
  '#',
  '~^/',
  '\\',
  'a\nb',
  '..',
] as const;

/** Hostile text, and text that is harmless. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    ...hostileWords,
    'a\tb',
    'end\nset /x y',
    '::1',
    '127.0.0.1; deny all',
    '127.0.0.1,80,0;127.0.0.2',
    '/a/b',
    '/',
  ),
  fc.stringMatching(/^[a-z0-9-]{1,10}$/),
  fc.stringMatching(/^\/[a-z0-9._~/-]{0,20}$/),
  fc.ipV4(),
  fc.ipV6(),
);

const registration = fc
  .record({
    service: nasty,
    version: nasty,
    machine: nasty,
    address: nasty,
    zone: nasty,
    port: fc.oneof(fc.nat(70_000), fc.double()),
  })
  .map((fields): LiveRegistration => {
    const path = `/services/${fields.service}/${fields.version}/${fields.machine}`;
    return { path, mzxid: 1, record: { schema: 1, state: 'up', at: 0, ...fields } };
  });

const operation = fc.record({
  method: fc.oneof(fc.constantFrom('GET', 'POST'), nasty),
  path: fc.oneof(fc.constantFrom('/zones/{id}', '/zones/{id},1:100', '/a b', '/(a+)+$'), nasty),
  to: nasty,
  weight: fc.oneof(fc.nat(100), fc.double()),
});

const choice: fc.Arbitrary<ChoiceSpec> = fc.record(
  {
    sticky: fc.oneof(
      fc.constantFrom({ by: 'cookie' as const }, { by: 'client' as const }),
      nasty.map((name) => ({ by: 'header' as const, name })),
    ),
    override: nasty,
    split: fc.array(operation, { maxLength: 3 }),
    mirror: fc.record({ to: nasty, weight: fc.oneof(fc.nat(100), fc.double()) }),
  },
  { requiredKeys: [] },
);

const service = fc
  .record({
    name: nasty,
    route: nasty,
    version: nasty,
    weight: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    proxy: fc.option(choice, { nil: undefined }),
  })
  .map(({ name, route, version, weight, proxy }) =>
    sampleService(name, [sampleVersion(version, 1, weight ?? undefined)], { route, ...(proxy && { proxy }) }),
  );

/** An environment and registrations of whatever a registry may hold; the first ones are of declared services and reachable. */
export const nastyWorld: fc.Arbitrary<{ desired: Environment; registrations: LiveRegistration[] }> = fc
  .record({
    services: fc.array(service, { maxLength: 4 }),
    registrations: fc.array(registration, { maxLength: 8 }),
  })
  .map(({ services, registrations }) => ({
    desired: sampleEnvironment(services),
    registrations: registrations.map((one, index) => {
      const name = services[index]?.name;
      return name === undefined
        ? one
        : { ...one, record: { ...one.record, service: name, address: '10.0.0.1', port: 80 } };
    }),
  }));
