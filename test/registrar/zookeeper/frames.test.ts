import test from 'ava';
import fc from 'fast-check';
import { FrameReader } from '../../../registrar/zookeeper/frames.ts';
import { isMcpError } from '../../../specs/errors.ts';

const limit = 64;

function frame(body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + body.length);
  bytes.writeInt32BE(body.length);
  bytes.set(body, 4);
  return bytes;
}

test('frames come out whole however the stream is cut; of those over the limit only the head', (t) => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 2 * limit, size: 'max' }));
  fc.assert(
    fc.property(bodies, fc.infiniteStream(fc.integer({ min: 1, max: 90 })), (sent, sizes) => {
      const received: { bytes: Buffer; length: number }[] = [];
      const reader = new FrameReader(limit, {
        frame: (bytes) => received.push({ bytes, length: bytes.length }),
        oversize: (bytes, length) => received.push({ bytes, length }),
      });
      let rest = Buffer.concat(sent.map(frame));
      while (rest.length > 0) {
        const size = sizes.next().value ?? 1;
        reader.push(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
      t.deepEqual(
        received,
        sent.map((body) => ({
          bytes: Buffer.from(body.length > limit ? body.subarray(0, 16) : body),
          length: body.length,
        })),
      );
    }),
  );
});

test('garbage is frames or REGISTRY_PROTOCOL', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
      const reader = new FrameReader(limit, { frame: () => {}, oversize: () => {} });
      try {
        for (const chunk of chunks) reader.push(Buffer.from(chunk));
      } catch (error) {
        t.true(isMcpError(error, 'REGISTRY_PROTOCOL'), String(error));
      }
    }),
  );
});
