/** The two ways to write a merged document: as whole files, and as lists of pieces. */
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { parse } from 'yaml';
import { joinedFromLists, listedFromFiles } from '../../../proxy-daemon/document/convert-document.ts';
import { toldPart } from '../../../proxy-daemon/document/describe-service.ts';
import { joinChecksums, shiftBy } from '../../../proxy-daemon/document/join-checksums.ts';
import type { WrittenFragment } from '../../../proxy-daemon/document/merge.ts';
import { packFragment } from '../../../proxy-daemon/document/pack-fragment.ts';
import { PartsTold } from '../../../proxy-daemon/document/parts-held.ts';
import { graceMs, PieceFiles } from '../../../proxy-daemon/document/piece-files.ts';
import { publishDocument } from '../../../proxy-daemon/document/publish-document.ts';
import { servedDigest } from '../../../proxy-daemon/document/served-digest.ts';
import type { ServicePart } from '../../../proxy-daemon/document/service-part.ts';
import { writeYaml } from '../../../proxy-daemon/document/write-yaml.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const files = ['openapi.json', 'openapi.yaml', 'services.json'].flatMap((name) => [name, `${name}.gz`]);
const head = { generation: 7, title: 'All "of" them', description: 'Wörds' };

/** A part of a service that has some sections, with `revision` in all of its texts. */
function partOf(
  service: string,
  revision: number,
  has: { tag: boolean; schema: boolean; shown: boolean },
): ServicePart {
  const names = [`${service}-${revision}`];
  const note = {
    service,
    version: '1',
    route: `/${service}`,
    digest: '',
    from: '',
    readAt: `${revision}`,
    stale: false,
  };
  const told = toldPart(service, {
    sources: has.shown ? [note] : [],
    leftOut: has.shown ? [] : [{ service, version: '1', reason: `not read: ${revision}` }],
  });
  if (!has.shown) return told;
  const encode = (text: string) => ({ text: Buffer.from(text) });
  const json: WrittenFragment = { paths: encode(`"/${service}":{"summary":"${names}"}`) };
  const yaml: WrittenFragment = {
    paths: encode(
      `  ${writeYaml({ [`/${service}`]: { summary: `${names}` } })
        .trim()
        .replaceAll('\n', '\n  ')}\n`,
    ),
  };
  if (has.tag) {
    json.tags = encode(`{"name":"${names}"}`);
    yaml.tags = encode(`  - name: ${names}\n`);
  }
  if (has.schema) {
    json['components/schemas'] = encode(`"${names}":{}`);
    yaml['components/schemas'] = encode(`    ${names}: {}\n`);
  }
  const shown = { title: service, entry: JSON.stringify({ service, revision }), written: packFragment(json, yaml) };
  return { ...told, digest: `${told.digest}-${revision}-${has.tag}-${has.schema}`, shown };
}

interface Place {
  folder: string;
  write(parts: readonly ServicePart[], digest: string, more?: { monotonic?: number; past?: string[] }): Promise<string>;
}

const told = new PartsTold();

function place(folder: string, pieces: string | null, services = join(folder, 'services')): Place {
  let number = 0;
  return {
    folder,
    async write(parts, digest, { monotonic = 0, past = [] } = {}) {
      number += 1;
      const [merged, served] = [join(folder, `merged-${number}`), join(folder, 'served')];
      const to = { merged, served, past, services, pieces };
      publishDocument({ kind: 'publish', to, digest, head, parts: told.update(parts), now: 1_000_000, monotonic });
      await rm(served, { force: true });
      await symlink(merged, served);
      return merged;
    },
  };
}

async function startPlaces(t: ExecutionContext) {
  const dir = await tempDir(t);
  const pieces = join(dir, 'lists', 'pieces');
  return { dir, pieces, whole: place(join(dir, 'whole'), null), lists: place(join(dir, 'lists'), pieces) };
}

const contents = (dir: string) => Promise.all(files.map((name) => readFile(join(dir, name))));
const all = { tag: true, schema: true, shown: true };
/** Enough for more than one stretch of groups (write-lists.ts). */
const names = Array.from({ length: 240 }, (_, index) => `service-${index}`);

/** All of them, some sections begin late. */
function many(revision: number) {
  const has = (index: number) => ({ shown: true, tag: index > 150, schema: index < 90 || index > 200 });
  return Object.fromEntries(
    names.map((name, index) => [name, { revision: index % 50 === 0 ? revision : 1, has: has(index) }]),
  );
}

test.serial(
  'whatever comes, changes and goes: pieces joined are the whole files byte for byte, and both are sound',
  async (t) => {
    const { dir, pieces, whole, lists } = await startPlaces(t);
    const has = fc.record({ tag: fc.boolean(), schema: fc.boolean(), shown: fc.boolean() });
    const step = fc.dictionary(fc.constantFrom(...names), fc.record({ revision: fc.nat(3), has }), { maxKeys: 40 });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(step, async (services) => {
        count += 1;
        const parts = Object.entries(services).map(([name, one]) => partOf(name, one.revision, one.has));
        const joined = join(dir, `joined-${count}`);
        await mkdir(joined);
        const [inWhole, inLists] = [await whole.write(parts, `${count}`), await lists.write(parts, `${count}`)];
        await joinedFromLists(inLists, pieces, joined);
        const [expected, found] = [await contents(inWhole), await contents(joined)];
        t.true(found.every((content, index) => content.equals(expected[index] as Buffer)));
        const [json, packedJson, yaml, packedYaml, list, packedList] = found as [
          Buffer,
          Buffer,
          Buffer,
          Buffer,
          Buffer,
          Buffer,
        ];
        const document = JSON.parse(json.toString());
        t.deepEqual(parse(yaml.toString()), document);
        t.deepEqual(
          [packedJson, packedYaml, packedList].map((packed) => gunzipSync(packed)),
          [json, yaml, list],
        );
        const shown = Object.entries(services).filter(([, one]) => one.has.shown);
        t.is(Object.keys(document.paths).length, shown.length);
        t.is(document['x-mcp-source'].length + document['x-mcp-left-out'].length, parts.length);
        t.is(JSON.parse(list.toString()).services.length, shown.length);
      }),
      { numRuns: 40, examples: [[many(1)], [many(2)]] },
    );
  },
);

test.serial('a change writes the group of services that it is in, what is around them, and nothing else', async (t) => {
  const { pieces, lists } = await startPlaces(t);
  const parts = names.map((name) => partOf(name, 1, all));
  await lists.write(parts, 'one');
  const before = await readdir(pieces);
  t.true(before.length > 4, 'many groups');
  await lists.write(
    parts.map((part, index) => (index === 20 ? partOf(part.service, 2, all) : part)),
    'two',
  );
  t.is((await readdir(pieces)).length, before.length + 2);
});

test.serial('a piece that no list names stays as long as an answer may take, one that is served stays', async (t) => {
  const { dir, pieces, lists } = await startPlaces(t);
  const parts = (revision: number) => [partOf('dns', revision, all)];
  await lists.write(parts(1), 'one', { monotonic: 0 });
  const first = new Set(await readdir(pieces));
  const isThere = async () => (await readdir(pieces)).filter((name) => first.has(name)).length;
  // Until the new one is in its place the old one is served, however long that takes.
  const served = join(dir, 'lists', 'served');
  const second = await lists.write(parts(2), 'two', { monotonic: 5 * graceMs });
  await rm(served);
  await symlink(join(dir, 'lists', 'merged-1'), served);
  await lists.write(parts(3), 'three', { monotonic: 10 * graceMs });
  t.is(await isThere(), 2, 'the link still led to it');
  await lists.write(parts(4), 'four', { monotonic: 11 * graceMs });
  await lists.write(parts(5), 'five', { monotonic: 12 * graceMs - 1 });
  t.is(await isThere(), 2, 'an answer may be on its way');
  await lists.write(parts(6), 'six', { monotonic: 12 * graceMs });
  t.is(await isThere(), 0);
  t.truthy(second);
});

test.serial('what an earlier process left, or somebody put there, goes after the same time', async (t) => {
  const { pieces, lists } = await startPlaces(t);
  const parts = (revision: number) => [partOf('dns', revision, all)];
  await mkdir(pieces, { recursive: true });
  await writeFile(join(pieces, 'left.new'), 'half');
  await lists.write(parts(1), 'one', { monotonic: 5 });
  await writeFile(join(pieces, 'put'), 'there');
  const strangers = async () => (await readdir(pieces)).filter((name) => ['left.new', 'put'].includes(name));
  await lists.write(parts(2), 'two', { monotonic: graceMs });
  t.deepEqual(await strangers(), ['left.new', 'put']);
  await lists.write(parts(3), 'three', { monotonic: graceMs + 5 });
  t.deepEqual(await strangers(), ['put']);
  await lists.write(parts(4), 'four', { monotonic: 2 * graceMs });
  t.deepEqual(await strangers(), []);
});

test.serial('a piece that was taken away or torn is written again', async (t) => {
  const { dir, pieces, lists } = await startPlaces(t);
  const parts = [partOf('dns', 1, all), partOf('mail', 1, all)];
  await lists.write(parts, 'one');
  for (const name of await readdir(pieces)) await rm(join(pieces, name));
  const merged = await lists.write(parts, 'two');
  await mkdir(join(dir, 'joined'));
  await t.notThrowsAsync(joinedFromLists(merged, pieces, join(dir, 'joined')));
  const [name = ''] = await readdir(pieces);
  const content = await readFile(join(pieces, name));
  await truncate(join(pieces, name), 3);
  await t.throwsAsync(joinedFromLists(merged, pieces, join(dir, 'joined')), { message: /too short/ });
  new PieceFiles(pieces).keep(name, [content]);
  t.deepEqual(await readFile(join(pieces, name)), content);
});

test.serial('folders of documents before are removed along with the next one, and no others', async (t) => {
  const { whole, lists } = await startPlaces(t);
  for (const { folder, write } of [whole, lists]) {
    const past = await write([partOf('dns', 1, all)], 'one');
    await write([partOf('dns', 2, all)], 'two');
    await write([partOf('dns', 3, all)], 'three', { past: [past] });
    const merged = (await readdir(folder)).filter((name) => name.startsWith('merged'));
    t.deepEqual(merged.toSorted(), ['merged-2', 'merged-3']);
  }
});

test.serial("services' own files are of the document written last, in whichever way that was", async (t) => {
  const dir = await tempDir(t);
  const services = join(dir, 'services');
  const whole = place(join(dir, 'whole'), null, services);
  const lists = place(join(dir, 'lists'), join(dir, 'lists', 'pieces'), services);
  const [first, second] = [1, 2].map((revision) => [partOf('dns', revision, all)]) as [ServicePart[], ServicePart[]];
  const summary = async () =>
    JSON.parse(await readFile(join(services, 'dns', 'openapi.json'), 'utf8')).paths['/dns'].summary;
  await whole.write(first, 'one');
  await lists.write(second, 'two');
  t.is(await summary(), 'dns-2');
  await whole.write(first, 'three');
  t.is(await summary(), 'dns-1');
});

test.serial('a document goes from one way to the other and back without a change', async (t) => {
  const { dir, pieces, whole } = await startPlaces(t);
  const from = await whole.write(
    names.map((name) => partOf(name, 1, all)),
    'one',
  );
  const [listed, joined] = [join(dir, 'listed'), join(dir, 'joined')];
  await mkdir(joined);
  listedFromFiles(from, pieces, 'one', listed);
  await rm(from, { recursive: true });
  await joinedFromLists(listed, pieces, joined);
  const [json, packed] = await contents(joined);
  t.deepEqual(gunzipSync(packed as Buffer), json);
  t.is(servedDigest({ served: listed, pieces }), 'one');
  await writeFile(listed, 'rubbish');
  t.is(servedDigest({ served: listed, pieces }), null);
  await t.throwsAsync(joinedFromLists(listed, pieces, joined), { message: /no list/ });
});

test('the checksum of joined texts follows from those of the parts', (t) => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      t.is(joinChecksums(crc32(a), crc32(b), shiftBy(b.length)), crc32(Buffer.concat([a, b])));
    }),
  );
});
