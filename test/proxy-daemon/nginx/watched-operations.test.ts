import test from 'ava';
import { readWatched, watchText } from '../../../proxy-daemon/nginx/watched-operations.ts';

test('an operation becomes a pattern in which only its parameters are open', (t) => {
  const patternOf = (operation: string) => watchText([{ service: 'dns', operation }]).split(' ')[2];
  t.is(patternOf('GET /zones'), '^/zones$');
  t.is(patternOf('DELETE /v1/zones/{zone}/records/{id}.json'), '^/v1/zones/[^/]+/records/[^/]+%.json$');
  t.is(patternOf('GET /a-b_c%20(d)+[e]'), '^/a%-b%_c%%20%(d%)%+%[e%]$', 'a pattern of nothing else');
});

test('counts are read back under the operation as it was asked for; other lines are passed over', (t) => {
  const line = 'watched dns DELETE /zones/{zone} 3 1000 2000'.split(' ');
  t.deepEqual(readWatched([line, ['count', 'dns']]), [
    { service: 'dns', operation: 'DELETE /zones/{zone}', requests: 3, since: 1000, lastAt: 2000 },
  ]);
});
