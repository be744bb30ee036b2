import test from 'ava';
import { scaled } from '../../../mcp/declare/scale.ts';
import { environment, service, version } from '../../helpers/world.ts';

const declared = environment(
  service('dns', [version('1.2.0', 2)]),
  service('certificates', [version('1.0.0', 1), version('1.1.0', 1)]),
);

test('a service with one version is scaled by its name', (t) => {
  t.is(scaled(declared, 'dns', 4).services[0]?.versions[0]?.count, 4);
  t.is(declared.services[0]?.versions[0]?.count, 2, 'the declared one is left as it was');
});

test('one of several versions is scaled by its full name and the others stay', (t) => {
  const counts = scaled(declared, 'certificates@1.1.0', 3).services[1]?.versions.map(({ count }) => count);
  t.deepEqual(counts, [1, 3]);
});

test('a service with several versions needs one named', (t) => {
  t.throws(() => scaled(declared, 'certificates', 3), { code: 'USAGE_AMBIGUOUS', message: /1\.0\.0, 1\.1\.0/ });
});

test('unknown names are refused with what there is', (t) => {
  for (const target of ['dsn', 'dns@9', '', '@1.2.0']) {
    t.throws(() => scaled(declared, target, 3), { code: 'USAGE_UNKNOWN_NAME' }, target);
  }
});
