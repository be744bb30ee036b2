import test from 'ava';
import fc from 'fast-check';
import type { Permission } from '../../../registrar/registry-client.ts';
import { permissionBits, permissionsOf } from '../../../registrar/zookeeper/acl.ts';
import { JuteReader, JuteWriter } from '../../../registrar/zookeeper/jute.ts';
import * as protocol from '../../../registrar/zookeeper/protocol.ts';
import { isMcpError } from '../../../specs/errors.ts';

const readers: Record<string, (reader: JuteReader) => unknown> = {
  stat: protocol.readStat,
  acl: protocol.readAcl,
  event: protocol.readEvent,
  header: protocol.readReplyHeader,
  gets: (reader) => protocol.readGets(reader, ['/a', '/b', '/c']),
  multi: (reader) =>
    protocol.readMulti(
      reader,
      [
        { op: 'create', path: '/a' },
        { op: 'set', path: '/b' },
        { op: 'check', path: '/c' },
      ],
      (path) => path,
    ),
};

for (const [name, read] of Object.entries(readers)) {
  test(`any bytes for ${name} are read or refused with a typed error`, (t) => {
    const smallInts = fc.array(fc.integer({ min: -2, max: 120 })).map((numbers) => {
      const writer = new JuteWriter();
      for (const number of numbers) writer.int(number);
      return Uint8Array.from(writer.bytes());
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), smallInts), (bytes) => {
        try {
          read(new JuteReader(Buffer.from(bytes)));
        } catch (error) {
          t.true(isMcpError(error), String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
}

test('permissions survive the way to bits and back', (t) => {
  fc.assert(
    fc.property(fc.subarray<Permission>(['read', 'write', 'create', 'delete', 'admin']), (permissions) => {
      t.deepEqual(permissionsOf(permissionBits(permissions)), permissions);
    }),
  );
});

function statBytes(owner: bigint): Buffer {
  const writer = new JuteWriter().long(1).long(2).long(3).long(4).int(5).int(6).int(7).long(owner).int(8).int(9);
  return writer.long(10).bytes();
}

test('the owner in a stat is a session, or nobody for container and TTL nodes', (t) => {
  const owner = (bits: bigint) => protocol.readStat(new JuteReader(statBytes(bits))).ephemeralOwner;
  t.is(owner(0n), null);
  t.is(owner(0x8000_0000_0000_0000n), null, 'container');
  t.is(owner(0xff00_0000_0000_03e8n), null, 'TTL');
  t.is(owner(0x1000_0307_0820_001n), '0x100003070820001');
  t.is(owner(0xfe00_0000_0000_0001n), '0xfe00000000000001');
});

test('a stat has its fields in the server’s order', (t) => {
  t.deepEqual(protocol.readStat(new JuteReader(statBytes(0n))), {
    czxid: 1,
    mzxid: 2,
    ctime: 3,
    mtime: 4,
    version: 5,
    cversion: 6,
    aversion: 7,
    ephemeralOwner: null,
    dataLength: 8,
    numChildren: 9,
    pzxid: 10,
  });
});
