/** Which requests an operation's door is for, however their paths are spelt. */
import test from 'ava';
import fc from 'fast-check';
import {
  findOperation,
  mostExactFirst,
  operationPatterns,
  unsoundPath,
} from '../../../proxy-daemon/routes/operation-pattern.ts';
import { isDoorPath } from '../../../specs/front-door.ts';

const limited = (...operations: string[]) => declared(false, operations);
const guarded = (...operations: string[]) => declared(true, operations);

function declared(access: boolean, operations: string[]) {
  return mostExactFirst(
    operations.map((text) => {
      const [method = '', path = ''] = text.split(' ');
      return { method, path, own: { access } };
    }),
  );
}

function found(operations: ReturnType<typeof declared>, method: string, rest: string): string | null {
  const one = findOperation(operations, method, rest);
  return one === null || one === 'refused' ? one : `${one.method} ${one.path}`;
}

const zones = [
  'GET /zones',
  'POST /zones',
  'GET /zones/{id}',
  'GET /zones/{id}/records',
  'ANY /admin/**',
  'GET /zones/mine',
];

test('the most exact operation counts, in whatever order they are declared; GET is HEAD too', (t) => {
  for (const operations of [limited(...zones), limited(...zones.toReversed()), guarded(...zones)]) {
    const of = (method: string, rest: string) => found(operations, method, rest);
    t.is(of('GET', '/zones'), 'GET /zones');
    t.is(of('HEAD', '/zones?x=/zones/mine'), 'GET /zones');
    t.is(of('POST', '/zones'), 'POST /zones');
    t.is(of('DELETE', '/zones'), null);
    t.is(of('GET', '/zones/a.example'), 'GET /zones/{id}');
    t.is(of('GET', '/zones/mine'), 'GET /zones/mine');
    t.is(of('GET', '/zones/mine/records'), 'GET /zones/{id}/records');
    t.is(of('GET', '/zones/a/other'), null);
    t.is(of('PATCH', '/admin'), 'ANY /admin/**');
    t.is(of('GET', '/admin/a/b?c'), 'ANY /admin/**');
    t.is(of('GET', '/administration'), null);
    t.is(of('GET', '/'), null);
  }
  t.is(found(limited('GET /'), 'GET', '/?x'), 'GET /');
  t.is(found(limited('POST /**', 'ANY /**', 'GET /a'), 'POST', '/'), 'POST /**');
  t.is(found(limited('GET /z/{id}:run', 'GET /z/{id}'), 'GET', '/z/1:run'), 'GET /z/{id}:run');
});

const spellings: [rest: string, operation: string][] = [
  ['/ZONES', 'GET /zones'],
  ['/zones/', 'GET /zones'],
  ['//zones', 'GET /zones'],
  ['/z%6fnes', 'GET /zones'],
  ['/zones;a=b', 'GET /zones'],
  ['/zones;a=b?c', 'GET /zones'],
  ['/zones#x', 'GET /zones'],
  ['/zones\\', 'GET /zones'],
  ['/zones%2F', 'GET /zones'],
  ['/zones/%6Dine', 'GET /zones/mine'],
  ['/zones/MINE', 'GET /zones/mine'],
  ['/zones/mine;x', 'GET /zones/mine'],
  ['/zones\\mine', 'GET /zones/mine'],
  ['/zones%5cmine', 'GET /zones/mine'],
  ['/zones%2fmine', 'GET /zones/mine'],
  // As most take it; who is asked for by name there is refused.
  ['/zones/a%2Frecords', 'GET /zones/{id}'],
  ['/zones/a//records', 'GET /zones/{id}/records'],
  ['/Admin/x', 'ANY /admin/**'],
  ['/admin;x/y', 'ANY /admin/**'],
  ['/%61dmin', 'ANY /admin/**'],
  ['//admin/x', 'ANY /admin/**'],
];

test('however a path is spelt, it is counted with its operation; where somebody must be let through it is refused instead', (t) => {
  for (const [rest, operation] of spellings) {
    t.is(found(limited(...zones), 'GET', rest), operation, rest);
    t.is(found(guarded(...zones), 'GET', rest), 'refused', rest);
  }
  // What an instance could take for another path altogether.
  for (const rest of [
    '//x/admin',
    '/x/..;/admin',
    '/;x/admin',
    '/x/.%3b/admin',
    '/x\\..\\admin',
    '/x%5c..%5cadmin',
    '/x#/admin',
    '/x%00',
  ])
    t.is(found(guarded(...zones), 'GET', rest), 'refused', rest);
  t.is(found(guarded(...zones), 'GET', '/zones/a%20b%c3%a4'), 'GET /zones/{id}');
  t.is(found(guarded(...zones), 'GET', '/zones/0%2F25.2.0.192.in-addr.arpa'), 'refused');
  t.is(found(limited(...zones), 'GET', '/zones/0%2F25.2.0.192.in-addr.arpa'), 'GET /zones/{id}');
});

/** Paths from the parts that matter, so that many of them fit. */
const path = fc
  .array(fc.constantFrom('/', '/', 'a', 'A', 'b', '%61', '%2f', '%2F', ';', '..', '%5c', '{x}', '\\', '.'), {
    maxLength: 10,
  })
  .map((parts) => `/${parts.join('')}`);
const template = fc
  .array(fc.constantFrom('/a', '/b', '/{id}', '/{id}.a', '/**'), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(''))
  .filter((one) => isDoorPath(one));

test('no spelling leads to another door than the plain one would: what is not plain is refused or counted with it', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(template, { minLength: 1, maxLength: 4 }), path, (templates, rest) => {
      const operations = guarded(...templates.map((one) => `GET ${one}`));
      const one = findOperation(operations, 'GET', rest);
      // As an instance may read it that is as lax as can be.
      const lax = `/${decodeURIComponent(rest)
        .toLowerCase()
        .replace(/\\/g, '/')
        .replace(/;[^/]*/g, '')
        .split('/')
        .filter(Boolean)
        .join('/')}`;
      const read = findOperation(operations, 'GET', lax);
      if (one === 'refused') return;
      if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(lax)) return;
      t.is(one, read as typeof one, `${rest} as ${lax} of ${templates.join(' ')}`);
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

test('a path takes no longer than it is long: there is one way to read it', (t) => {
  const worst = '/a%2f'.repeat(1600);
  const deep = `/${Array.from({ length: 19 }, () => '{x}').join('/')}/end`;
  const many = ';a'.repeat(4000);
  for (const rest of [worst, `/a${many}`, `/${'a'.repeat(8000)}`, '/'.repeat(8000), '\\'.repeat(8000)])
    for (const one of [limited(`GET ${deep}`), guarded(`GET ${deep}`, 'GET /a/{id}.a.a.a', 'GET /{id}')])
      t.notThrows(() => findOperation(one, 'GET', rest));
});

test('a template holds at most one parameter a segment, and ** only at its end', (t) => {
  for (const good of ['/', '/a', '/{a}', '/{a}.json', '/a/**', '/**', '/a/{b}:run']) t.true(isDoorPath(good), good);
  for (const bad of [
    '',
    'a',
    '/a b',
    '/{a}{b}',
    '/{a}-{b}',
    '/**/a',
    '/a**',
    '//',
    '/a//b',
    '/a"',
    '/$a',
    '/a;b',
    `/${'a'.repeat(300)}`,
  ])
    t.false(isDoorPath(bad), bad);
  for (const operation of limited(...zones)) {
    const { strict, loose } = operationPatterns(operation);
    for (const one of [strict, ...loose, unsoundPath]) t.regex(one, /^[^$\n]+$/, 'nginx takes no $ in a literal');
  }
});
