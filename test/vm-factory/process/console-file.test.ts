import { appendFile, open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { boundConsole, readConsole } from '../../../vm-factory/process/console-file.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

test('a console is read in parts, over the moment at which it is moved aside', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'console.log');
  t.is(await readConsole(path, null), null);
  // As whoever writes it does: opened once, to append.
  const writer = await open(path, 'a');
  t.teardown(() => writer.close());
  await writer.write('one\n');
  const first = await readConsole(path, null);
  t.is(first?.text, 'one\n');
  await writer.write('two\n');
  const second = await readConsole(path, first?.cursor ?? null);
  t.is(second?.text, 'two\n');
  await boundConsole(path, 100);
  await writer.write('three\n');
  await boundConsole(path, 14);
  t.is((await stat(path)).size, 14);
  await boundConsole(path, 13);
  t.is((await stat(path)).size, 0);
  await writer.write('four\n');
  t.is((await readConsole(path, null))?.text, 'ne\ntwo\nthree\nfour\n');
  t.true((await readConsole(path, second?.cursor ?? null))?.text.endsWith('four\n'));
  t.deepEqual((await readdir(dir)).sort(), ['console.log', 'console.log.1']);
});

test('a console that several look after at once stays within its size and loses nothing old', async (t) => {
  const path = join(await tempDir(t), 'console.log');
  await writeFile(path, 'x'.repeat(1_000));
  await Promise.all(Array.from({ length: 8 }, () => boundConsole(path, 500)));
  await appendFile(path, 'new');
  t.is((await readConsole(path, null))?.text, `${'x'.repeat(500)}new`);
});
