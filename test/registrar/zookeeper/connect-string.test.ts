import test from 'ava';
import fc from 'fast-check';
import { parseConnectString } from '../../../registrar/zookeeper/connect-string.ts';
import { isMcpError } from '../../../specs/errors.ts';

test('several servers, default ports, IPv6 and a chroot are understood', (t) => {
  t.deepEqual(parseConnectString('zk1:2182, zk2 ,[::1]:2183,10.0.0.7:2181/mcp/prod'), {
    servers: [
      { host: 'zk1', port: 2182 },
      { host: 'zk2', port: 2181 },
      { host: '::1', port: 2183 },
      { host: '10.0.0.7', port: 2181 },
    ],
    chroot: '/mcp/prod',
  });
  t.is(parseConnectString('zk/').chroot, '');
  t.is(parseConnectString('zk,zk:2181').servers.length, 1, 'the same server twice is one');
});

for (const text of [
  '',
  ',',
  'zk,',
  ':2181',
  'zk:0',
  'zk:70000',
  'zk:x',
  'zk/a/',
  'zk//a',
  'zk/..',
  '::1',
  'http://zk',
  'u@zk',
]) {
  test(`${JSON.stringify(text)} is no connect string`, (t) => {
    t.throws(() => parseConnectString(text), { code: 'REGISTRY_BAD_ARGUMENTS' });
  });
}

test('any text is parsed or refused with a typed error', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'ab12:,/[].') })), (text) => {
      try {
        t.true(parseConnectString(text).servers.length > 0);
      } catch (error) {
        t.true(isMcpError(error, 'REGISTRY_BAD_ARGUMENTS'));
      }
    }),
  );
});
