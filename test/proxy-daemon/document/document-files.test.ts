import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { DocumentFiles, type GoodDocument } from '../../../proxy-daemon/document/document-files.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const good: GoodDocument = {
  digest: 'd',
  from: '10.0.0.1:80/openapi.json',
  readAt: 1000,
  confirmedAt: 2000,
  notes: ['repaired'],
  document: Buffer.from('{"openapi":"3.1.0","info":{"title":"Zwölf\\n"}}'),
};
const now = Date.now();

test('a document that was saved is loaded as it was, also by the process after', async (t) => {
  const dir = join(await tempDir(t), 'state');
  const files = new DocumentFiles(dir);
  await files.open(now);
  t.is(await files.load('dns', '1'), undefined);
  await files.save('dns', '1', good);
  t.deepEqual(await files.load('dns', '1'), good);
  const after = new DocumentFiles(dir);
  await after.open(now);
  t.deepEqual(await after.load('dns', '1'), good);
  t.is(await after.load('dns', '2'), undefined);
});

test('a file that was cut short, changed or written by older code is as good as none', async (t) => {
  const dir = await tempDir(t);
  const files = new DocumentFiles(dir);
  await files.save('dns', '1', good);
  const path = join(dir, 'dns@1.json');
  const whole = await readFile(path);
  const changed = Buffer.from(whole);
  changed.writeUInt8(changed.readUInt8(changed.length - 3) ^ 1, changed.length - 3);
  const older = Buffer.from(`${JSON.stringify({ format: 2, ...good, document: {} })}\n`);
  for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 20), Buffer.alloc(0), changed, older]) {
    await writeFile(path, bytes);
    t.is(await files.load('dns', '1'), undefined);
  }
  await writeFile(path, whole);
  t.deepEqual(await files.load('dns', '1'), good);
});

test('what was not written for a week is removed', async (t) => {
  const dir = await tempDir(t);
  const files = new DocumentFiles(dir);
  for (const version of ['1', '2']) await files.save('dns', version, good);
  const day = 24 * 3600;
  await utimes(join(dir, 'dns@1.json'), now / 1000 - 8 * day, now / 1000 - 8 * day);
  await files.open(now);
  t.is(await files.load('dns', '1'), undefined);
  t.deepEqual(await files.load('dns', '2'), good);
});
