import { constants, deflateRawSync } from 'node:zlib';
import { sections, type WrittenFragment } from './merge.ts';

/**
 * A written fragment as one block of shared memory: threads hand it on without copying, and the event loop never touches
 * what is inside.
 */
export interface PackedFragment {
  bytes: SharedArrayBuffer;
  /** For each section as JSON, then for each as YAML: where its text ends and where its packed form ends, in `bytes`. */
  ends: Uint32Array;
}

/** Compresses the pieces and puts all into one block. Costs what compressing costs: for a thread. */
export function packFragment(json: WrittenFragment, yaml: WrittenFragment): PackedFragment {
  const parts: Uint8Array[] = [];
  const ends = new Uint32Array(sections.length * 4);
  let end = 0;
  let place = 0;
  for (const form of [json, yaml]) {
    for (const section of sections) {
      const text = form[section]?.text ?? new Uint8Array();
      for (const part of [text, text.length === 0 ? text : deflate(text)]) {
        parts.push(part);
        end += part.length;
        ends[place++] = end;
      }
    }
  }
  const bytes = new SharedArrayBuffer(end);
  const target = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    target.set(part, at);
    at += part.length;
  }
  return { bytes, ends };
}

/** Views of the pieces; nothing is copied. */
export function unpackFragment({ bytes, ends }: PackedFragment): { json: WrittenFragment; yaml: WrittenFragment } {
  let start = 0;
  let place = 0;
  const next = (): Uint8Array | undefined => {
    const end = ends[place++] ?? start;
    // Views are what this costs, and most sections are empty.
    const part = end === start ? undefined : new Uint8Array(bytes, start, end - start);
    start = end;
    return part;
  };
  const [json, yaml] = [{}, {}] as [WrittenFragment, WrittenFragment];
  for (const form of [json, yaml]) {
    for (const section of sections) {
      const [text, packed] = [next(), next()];
      if (text && packed) form[section] = { text, packed };
    }
  }
  return { json, yaml };
}

/** Longer texts are compressed instead of stored in a block. */
const longestStored = 4096;

/** What stands around pieces, likewise. Compressing so little as that mostly is would cost more than it saves. */
export function packed(text: Uint8Array): Uint8Array {
  if (text.length > longestStored) return deflate(text);
  const [low, high] = [text.length & 0xff, text.length >> 8];
  return Buffer.concat([Uint8Array.of(0, low, high, ~low, ~high), text]);
}

/** As blocks that end on a byte and refer to nothing before them: see Piece. */
export function deflate(text: Uint8Array): Uint8Array {
  // What deflate sets aside by default, a quarter of a megabyte each time, is more than short texts are worth.
  const sparing = text.length < 8192 ? { windowBits: 13, memLevel: 6, chunkSize: 4096 } : {};
  return deflateRawSync(text, { ...sparing, finishFlush: constants.Z_FULL_FLUSH });
}
