import test from 'ava';
import fc from 'fast-check';
import { isNothing, previewEnvironment } from '../../../mcp/view/preview.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

test('what is live as declared is kept, what is missing is started from the pool first', (t) => {
  const v1 = version('1.0.0', 3);
  const registry = registryPart(null, { machines: [claimed('a', 'dns', v1), machine('p')] });
  const preview = previewEnvironment(environment(service('dns', [v1])), registry);
  t.like(preview.rows[0], { keep: 1, start: 2, stop: 0 });
  t.like(preview, { poolHits: 1, coldBuilds: 1, peakMachines: 3 });
});

test('instances that run something else under the same version name are replaced', (t) => {
  const old = version('1.0.0', 2, { digest: 'before' });
  const registry = registryPart(null, { machines: [claimed('a', 'dns', old), claimed('b', 'dns', old)] });
  const [row] = previewEnvironment(environment(service('dns', [version('1.0.0', 2)])), registry).rows;
  t.like(row, { keep: 0, start: 2, stop: 2 });
});

test('versions that are declared no more stop', (t) => {
  const v1 = version('1.0.0', 1);
  const registry = registryPart(null, { machines: [claimed('a', 'dns', v1)] });
  const preview = previewEnvironment(environment(), registry);
  t.like(preview.rows[0], { version: '1.0.0', desired: 0, stop: 1, reason: 'no longer declared' });
});

test('an instance that registered by itself counts', (t) => {
  const v1 = version('1.0.0', 1);
  const registry = registryPart(null, { registrations: [registration('stranger', 'dns', v1)] });
  t.true(isNothing(previewEnvironment(environment(service('dns', [v1])), registry)));
});

test('keep and start add up to what is declared, keep and stop to what is live', (t) => {
  const count = fc.integer({ min: 0, max: 12 });
  fc.assert(
    fc.property(count, count, count, (wanted, current, outdated) => {
      const v1 = version('1.0.0', wanted);
      const old = version('1.0.0', 1, { digest: 'before' });
      const machines = [
        ...Array.from({ length: current }, (_, at) => claimed(`c${at}`, 'dns', v1)),
        ...Array.from({ length: outdated }, (_, at) => claimed(`o${at}`, 'dns', old)),
      ];
      const [row] = previewEnvironment(environment(service('dns', [v1])), registryPart(null, { machines })).rows;
      return row !== undefined && row.keep + row.start === wanted && row.keep + row.stop === current + outdated;
    }),
  );
  t.pass();
});
