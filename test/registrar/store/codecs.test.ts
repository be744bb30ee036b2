import test from 'ava';
import fc from 'fast-check';
import type { MachineRecord } from '../../../registrar/records.ts';
import { codecs, decode, encode } from '../../../registrar/store/codecs.ts';

const machine: MachineRecord = {
  uuid: 'm-1',
  provider: 'process',
  image: 'process',
  state: 'ready',
  operation: 'op-1',
  epoch: 3,
  createdAt: 1,
  changedAt: 2,
};

test('a record comes back as it was written', (t) => {
  const claimed = { ...machine, claim: { service: 'dns', version: '1', digest: 'd', operation: 'o', at: 5 } };
  t.deepEqual(decode(codecs.machine, '/machines/m-1', Buffer.from(encode(codecs.machine, claimed))), claimed);
});

test('a node that does not hold its record says which node and which field', (t) => {
  const cases: [string, RegExp][] = [
    ['', /\/machines\/x: it is empty/],
    ['nonsense', /\/machines\/x: it is not JSON/],
    ['null', /\/machines\/x/],
    [JSON.stringify({ ...machine, state: 'lost' }), /\/machines\/x: state/],
    [JSON.stringify({ ...machine, epoch: -1 }), /\/machines\/x: epoch/],
    [JSON.stringify({ ...machine, claim: { service: 'dns' } }), /\/machines\/x: claim\.version/],
  ];
  for (const [text, message] of cases) {
    const error = t.throws(() => decode(codecs.machine, '/machines/x', Buffer.from(text)), { code: 'RECORD_INVALID' });
    t.regex(error?.message ?? '', message);
  }
});

test('a status whose waiting things tell no cause, or one that is not known here, is read without it', (t) => {
  const entry = { what: 'dns@1', why: 'pool empty', cause: 'no-machine', service: 'dns' } as const;
  const { cause: _, ...older } = entry;
  const status = { epoch: 1, leader: 'c', generation: 2, at: 3, waiting: [entry], alarms: [] };
  const read = (waiting: object[]) =>
    decode(codecs.status, '/status', Buffer.from(JSON.stringify({ ...status, waiting }))).waiting;
  t.deepEqual(read([entry]), [entry]);
  t.deepEqual(read([older]), [older]);
  t.like(read([{ ...entry, cause: 'of-the-future' }])[0], { what: 'dns@1', why: 'pool empty', cause: undefined });
});

test('what is not a record is not written', (t) => {
  t.throws(() => encode(codecs.machine, { ...machine, uuid: '' }), { code: 'RECORD_INVALID' });
});

test('a __proto__ key in a record pollutes nothing', (t) => {
  const text = '{"service":"dns","generation":1,"values":{"__proto__":"x","a":"b"}}';
  const record = decode(codecs.config, '/config/dns', Buffer.from(text));
  t.is(Object.getPrototypeOf(record.values), Object.prototype);
  t.is(record.values.a, 'b');
});

test('whatever a node holds, decoding gives a record or RECORD_INVALID', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), fc.constantFrom(...Object.values(codecs)), (text, codec) => {
      try {
        decode<unknown>(codec, '/x', Buffer.from(text));
        return true;
      } catch (error) {
        return (error as { code?: string }).code === 'RECORD_INVALID';
      }
    }),
  );
  t.pass();
});
