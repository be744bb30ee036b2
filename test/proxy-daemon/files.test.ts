import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { replaceFileInSlices } from '../../proxy-daemon/files.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { tempDir } from '../helpers/temp-dir.ts';

/** Parts of none, few and more bytes than a block has, with letters of one to four bytes at its edges. */
const parts = fc.array(
  fc
    .tuple(fc.constantFrom('a', 'é', '水', '🜄'), fc.constantFrom(0, 1, 40, 43_690, 65_535, 131_071, 131_072, 140_000))
    .map(([letter, count]) => letter.repeat(count)),
  { maxLength: 8 },
);

test('a file written in parts holds all of them in order, and what is put behind so many bytes', async (t) => {
  const path = join(await tempDir(t), 'file');
  await fc.assert(
    fc.asyncProperty(parts, async (texts) => {
      await replaceFileInSlices(path, texts, systemClock, (bytes) => `\n${bytes}`);
      const whole = texts.join('');
      t.true((await readFile(path, 'utf8')) === `${whole}\n${Buffer.byteLength(whole)}`);
    }),
    { numRuns: 60 },
  );
});

test('parts that fail leave the file as it was, and nothing beside it', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'file');
  await writeFile(path, 'before');
  const failing = (function* () {
    yield 'x'.repeat(300_000);
    throw new Error('as it must');
  })();
  await t.throwsAsync(replaceFileInSlices(path, failing, systemClock), { message: 'as it must' });
  t.is(await readFile(path, 'utf8'), 'before');
  t.deepEqual(await readdir(dir), ['file']);
});

test('the time that a busy disk takes is not told as time of the thread that writes', async (t) => {
  const path = join(await tempDir(t), 'file');
  // A pipe, which takes what is written only once somebody reads it.
  execFileSync('mkfifo', [`${path}.new`]);
  const began = systemClock.monotonic();
  const written = replaceFileInSlices(path, ['content'], systemClock);
  await systemClock.sleep(300);
  t.is(await readFile(`${path}.new`, 'utf8'), 'content');
  const ownMs = await written;
  const allMs = systemClock.monotonic() - began;
  t.true(ownMs > 0 && ownMs < allMs / 3, `${ownMs} of ${allMs} ms`);
});
