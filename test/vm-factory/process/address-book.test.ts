import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { AddressBook } from '../../../vm-factory/process/address-book.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

async function setup(t: ExecutionContext) {
  const dir = await tempDir(t);
  const [folder, staging] = [join(dir, 'addresses'), join(dir, 'staging')];
  await mkdir(folder);
  await mkdir(staging);
  const gone = new Set<string>();
  const open = () => new AddressBook({ folder, staging, block: '127.199.7', exists: async (uuid) => !gone.has(uuid) });
  return { folder, staging, gone, open };
}

test('many machines in two processes at once get addresses of their own, all of the block', async (t) => {
  const { staging, open } = await setup(t);
  const books = [open(), open()] as const;
  const machines = Array.from({ length: 120 }, () => randomUUID());
  const given = await Promise.all(machines.map((uuid, n) => books[n % 2 === 0 ? 0 : 1].reserve(uuid)));
  t.is(new Set(given).size, 120);
  t.true(given.every((address) => /^127\.199\.7\.([1-9]\d?|1\d\d|2[0-4]\d|25[0-4])$/.test(address)));
  t.deepEqual(await readdir(staging), []);
});

test('when all are taken the next is refused; a released one is given again', async (t) => {
  const { staging, open } = await setup(t);
  const book = open();
  const machines = Array.from({ length: 254 }, () => randomUUID());
  const given = new Map<string, string>();
  for (const uuid of machines) given.set(uuid, await book.reserve(uuid));
  t.is(new Set(given.values()).size, 254);
  await t.throwsAsync(book.reserve(randomUUID()), { code: 'PROVIDER_REFUSED' });
  t.deepEqual(await readdir(staging), []);
  const leaving = machines[77] ?? '';
  await book.release(leaving);
  const again: string = await book.reserve(randomUUID());
  t.is(again, given.get(leaving) ?? 'none');
});

test('a release frees only what is one’s own, and twice is once', async (t) => {
  const { open } = await setup(t);
  const book = open();
  const address = await book.reserve('first');
  await book.release('second');
  const others = new Set<string>();
  for (let n = 0; n < 253; n += 1) others.add(await book.reserve(`other-${n}`));
  t.false(others.has(address));
  await book.release('first');
  await book.release('first');
  t.is(await book.reserve('third'), address);
});

test('a reservation whose machine is gone is void', async (t) => {
  const { gone, open } = await setup(t);
  const book = open();
  for (let n = 0; n < 254; n += 1) await book.reserve(`m${n}`);
  gone.add('m5').add('m9');
  t.not(await book.reserve('a'), await book.reserve('b'));
  await t.throwsAsync(book.reserve('c'), { code: 'PROVIDER_REFUSED' });
});

test('a block that is not of loopback addresses of ours is refused', (t) => {
  for (const block of ['127.0.0', '10.1.2', '127.1', '127.1.2.3', '127.1.256', '127.1.x', '']) {
    const make = () => new AddressBook({ folder: '', staging: '', block, exists: async () => true });
    t.throws(make, { code: 'PROVIDER_BAD_CONFIG' }, block);
  }
});
