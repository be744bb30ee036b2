import test from 'ava';
import fc from 'fast-check';
import { JuteReader, JuteWriter } from '../../../registrar/zookeeper/jute.ts';
import { isMcpError } from '../../../specs/errors.ts';

type Value =
  | { kind: 'int'; value: number }
  | { kind: 'long'; value: number }
  | { kind: 'bigLong'; value: bigint }
  | { kind: 'bool'; value: boolean }
  | { kind: 'buffer'; value: Uint8Array }
  | { kind: 'string'; value: string }
  | { kind: 'strings'; value: string[] };

const text = fc.string({ unit: 'grapheme' });
const anyValue: fc.Arbitrary<Value> = fc.oneof(
  fc.record({ kind: fc.constant('int' as const), value: fc.integer() }),
  fc.record({ kind: fc.constant('long' as const), value: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('bigLong' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
  fc.record({ kind: fc.constant('bool' as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant('buffer' as const), value: fc.uint8Array({ maxLength: 2000 }) }),
  fc.record({ kind: fc.constant('string' as const), value: text }),
  fc.record({ kind: fc.constant('strings' as const), value: fc.array(text) }),
);

function write(writer: JuteWriter, entry: Value): void {
  if (entry.kind === 'int') writer.int(entry.value);
  else if (entry.kind === 'long' || entry.kind === 'bigLong') writer.long(entry.value);
  else if (entry.kind === 'bool') writer.bool(entry.value);
  else if (entry.kind === 'buffer') writer.buffer(entry.value);
  else if (entry.kind === 'string') writer.string(entry.value);
  else if (entry.kind === 'strings') writer.strings(entry.value);
}

test('what is written is read back, and nothing is left over', (t) => {
  fc.assert(
    fc.property(fc.array(anyValue), fc.nat(16), (values, reserve) => {
      const writer = new JuteWriter(reserve, 1);
      for (const value of values) write(writer, value);
      const reader = new JuteReader(writer.bytes().subarray(reserve));
      for (const { kind, value } of values) {
        const read = reader[kind]();
        if (kind === 'buffer') t.deepEqual(read, Buffer.from(value));
        else t.deepEqual(read, value);
      }
      t.is(reader.remaining, 0);
    }),
  );
});

test('whatever bytes come, reading gives a value or REGISTRY_PROTOCOL', (t) => {
  const kinds = fc.array(fc.constantFrom('int', 'long', 'bigLong', 'bool', 'buffer', 'string', 'strings'), {
    minLength: 1,
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), kinds, (bytes, reads) => {
      const reader = new JuteReader(Buffer.from(bytes));
      try {
        for (const kind of reads) reader[kind as 'int']();
      } catch (error) {
        t.true(isMcpError(error, 'REGISTRY_PROTOCOL'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a length of -1 reads as empty, a shorter one is refused, a lying count reserves no memory', (t) => {
  const bytes = (value: number) => Buffer.from(new JuteWriter().int(value).bytes());
  t.deepEqual(new JuteReader(bytes(-1)).buffer(), Buffer.alloc(0));
  t.is(new JuteReader(bytes(-1)).string(), '');
  t.deepEqual(new JuteReader(bytes(-1)).strings(), []);
  for (const length of [-2, 1, 0x7fff_ffff]) {
    t.throws(() => new JuteReader(bytes(length)).buffer(), { code: 'REGISTRY_PROTOCOL' });
    t.throws(() => new JuteReader(bytes(length)).strings(), { code: 'REGISTRY_PROTOCOL' });
  }
});

test('bytes read are a copy of their own', (t) => {
  const source = Buffer.from(new JuteWriter().buffer(Buffer.from('abc')).bytes());
  const read = new JuteReader(source).buffer();
  source.fill(0);
  t.is(read.toString(), 'abc');
});
