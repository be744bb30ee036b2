/**
 * Loaded by Node services in a template before anything of theirs. V8 seeds Math.random once, and node:crypto keeps what it
 * drew for the next identifiers: clones would all draw the same. Drawn from OpenSSL each time, they don't: that asks the
 * kernel anew once it sees that much time went by, which it does in every clone.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const { randomUUID, randomBytes, randomInt } = crypto;

/** Of this many values each is as likely. */
const span = 2 ** 48;
const draw = () => randomBytes(6).readUIntBE(0, 6);

/** As crypto.randomInt, which keeps what it drew. */
function freshInt(...words: unknown[]): number | undefined {
  const done = typeof words.at(-1) === 'function' ? (words.pop() as (error: null, value: number) => void) : null;
  const [min, max] = words.length > 1 ? (words as [number, number]) : [0, Number(words[0])];
  // Whoever asks for what can't be is told so by the original.
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || max <= min || max - min >= span)
    return randomInt(min, max);
  const limit = span - (span % (max - min));
  let drawn = draw();
  while (drawn >= limit) drawn = draw();
  const value = min + (drawn % (max - min));
  if (!done) return value;
  process.nextTick(done, null, value);
}

Math.random = () => draw() / span;
crypto.randomUUID = (options) => randomUUID({ ...options, disableEntropyCache: true });
crypto.randomInt = freshInt as typeof crypto.randomInt;
crypto.webcrypto.randomUUID = () => randomUUID({ disableEntropyCache: true });
syncBuiltinESMExports();
