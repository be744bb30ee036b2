import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { RotatingLog } from '../../../registrar/agent/rotating-log.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

test('a log is moved aside when it is full, and only one old one is kept', async (t) => {
  const dir = await tempDir(t);
  const log = new RotatingLog(join(dir, 'a.log'), { maxBytes: 100 });
  for (let line = 0; line < 30; line += 1) {
    log.write(`this is line ${line}\n`);
    await log.flush();
  }
  t.deepEqual((await readdir(dir)).sort(), ['a.log', 'a.log.1']);
  const old = await readFile(join(dir, 'a.log.1'), 'utf8');
  t.true(old.length < 130);
  t.true((await readFile(join(dir, 'a.log'), 'utf8')).endsWith('this is line 29\n'));
});

test('the newest lines are at hand for reasons until forgotten', async (t) => {
  const log = new RotatingLog(join(await tempDir(t), 'a.log'), { tailBytes: 40 });
  log.write('one\ntwo\n');
  log.write(`three\n${'x'.repeat(30)}\nfour\n`);
  t.is(log.tail(2), `${'x'.repeat(30)}\nfour`);
  log.forgetTail();
  t.is(log.tail(2), '');
  await log.flush();
});

test('output faster than the disk is dropped and counted, not kept in memory', async (t) => {
  const path = join(await tempDir(t), 'a.log');
  const log = new RotatingLog(path, { maxPendingBytes: 100 });
  for (let part = 0; part < 10; part += 1) log.write('y'.repeat(50));
  await log.flush();
  const text = await readFile(path, 'utf8');
  t.regex(text, /\[\d+ bytes of output dropped\]/);
  t.true(text.length < 250);
});

test('a log that can’t be written fails nobody', async (t) => {
  const dir = await tempDir(t);
  await writeFile(join(dir, 'file'), '');
  const log = new RotatingLog(join(dir, 'file', 'a.log'));
  log.write('x\n');
  await t.notThrowsAsync(log.flush());
  t.is(log.tail(1), 'x');
});
