import { createHash } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sha256 } from '../../specs/digest.ts';
import { joinChecksums, shiftBy } from './join-checksums.ts';
import { comma, type Head } from './merge.ts';
import { packed } from './pack-fragment.ts';
import { type PartGroup, runOf } from './part-groups.ts';
import type { PieceFiles } from './piece-files.ts';
import { listSuffix, listText, RangeList } from './piece-list.ts';
import { type Form, wholeForms } from './service-part.ts';
import { gzipHead, gzipTail } from './write-document.ts';

/** Where the parts of one group stand in its file, of one form and section; after a comma, where the form wants one. */
interface KeptRun {
  offset: number;
  length: number;
  packedOffset: number;
  packedLength: number;
  checksum: number;
  /** See joinChecksums. */
  shift: number;
}

interface KeptGroup {
  name: string;
  /** By form and section; what is missing is empty. */
  runs: ReadonlyMap<string, KeptRun>;
}

/** Stands in lists for the file of what is around the parts, whose name follows from all of its content. */
const around = '';

/** Documents as lists of pieces (piece-list.ts): a change writes the group it is in, what is around the groups, and the lists. */
export class ListWriter {
  readonly #files: PieceFiles;
  /** What is in the folder of pieces, by the groups' keys. */
  #groups = new Map<string, KeptGroup>();

  constructor(files: PieceFiles) {
    this.#files = files;
  }

  /** Gives the names of all pieces in the lists. Blocks: for a thread. Throws what the file system says. */
  write(folder: string, head: Head, groups: readonly PartGroup[], at: number): Set<string> {
    const before = this.#groups;
    this.#groups = new Map();
    const kept = groups.map((group) => {
      const known = before.get(group.key);
      const own = known && this.#files.has(known.name) ? known : this.#keep(group);
      this.#groups.set(group.key, own);
      return own;
    });
    const glue = new Glue();
    const lists = wholeForms.map((form) => ({ file: form.file, ...listForm(form, head, kept, glue) }));
    const content = glue.content();
    const hash = createHash('sha256');
    for (const part of content) hash.update(part);
    const name = nameOf(hash.digest('hex'));
    this.#files.keep(name, content);
    const modified = Math.floor(at / 1000);
    for (const { file, plain, zipped } of lists) {
      for (const [suffix, { ranges }] of [['', plain] as const, ['.gz', zipped] as const]) {
        for (const range of ranges) if (range.name === around) range.name = name;
        const path = join(folder, `${file}${suffix}${listSuffix}`);
        writeFileSync(path, listText(ranges, modified), { mode: 0o644 });
        utimesSync(path, modified, modified);
      }
    }
    return new Set([name, ...kept.map((group) => group.name)]);
  }

  #keep({ key, parts }: PartGroup): KeptGroup {
    const bytes = new Bytes();
    const runs = new Map<string, KeptRun>();
    for (const form of wholeForms) {
      for (const section of form.sections) {
        const pieces = runOf(form, section, parts);
        if (pieces.length === 0) continue;
        if (form.isSeparated) bytes.put(comma.text);
        const offset = bytes.length;
        let checksum = 0;
        for (const { text } of pieces) {
          checksum = crc32(text, checksum);
          bytes.put(text);
        }
        const length = bytes.length - offset;
        if (form.isSeparated) bytes.put(comma.packed);
        const packedOffset = bytes.length;
        for (const piece of pieces) bytes.put(piece.packed);
        const packedLength = bytes.length - packedOffset;
        runs.set(`${form.name} ${section}`, {
          ...{ offset, length, packedOffset, packedLength, checksum },
          shift: shiftBy(length),
        });
      }
    }
    // Of what it is made of, and of what came out: other code may write the same parts otherwise.
    const name = nameOf(sha256(JSON.stringify([key, [...runs]])));
    this.#files.keep(name, bytes.all());
    return { name, runs };
  }
}

/** The lists of one form, plain and as a gzip file. */
function listForm(form: Form, head: Head, groups: readonly KeptGroup[], glue: Glue) {
  const [plain, zipped] = [new RangeList(), new RangeList()];
  const bySection = new Map<string, { name: string; run: KeptRun }[]>();
  for (const section of form.sections) {
    const runs = groups.flatMap(({ name, runs: own }) => {
      const run = own.get(`${form.name} ${section}`);
      return run ? { name, run } : [];
    });
    if (runs.length > 0) bySection.set(section, runs);
  }
  let checksum = 0;
  let size = 0;
  glue.put(zipped, gzipHead);
  for (const one of form.frame(head, (section) => bySection.has(section))) {
    if (typeof one === 'string') {
      const text = Buffer.from(one);
      checksum = crc32(text, checksum);
      size += text.length;
      glue.put(plain, text);
      glue.put(zipped, packed(text));
      continue;
    }
    let isFirst = true;
    for (const { name, run } of bySection.get(one.section) ?? []) {
      const before = form.isSeparated && !isFirst ? comma : null;
      isFirst = false;
      if (before) checksum = crc32(before.text, checksum);
      checksum = joinChecksums(checksum, run.checksum, run.shift);
      const [lead, packedLead] = [before?.text.length ?? 0, before?.packed.length ?? 0];
      size += lead + run.length;
      plain.add(name, run.offset - lead, lead + run.length);
      zipped.add(name, run.packedOffset - packedLead, packedLead + run.packedLength);
    }
  }
  glue.put(zipped, gzipTail(checksum, size));
  return { plain, zipped };
}

/** What stands around the parts in all lists, in one file. */
class Glue {
  readonly #bytes = new Bytes();

  put(list: RangeList, content: Uint8Array): void {
    list.add(around, this.#bytes.length, content.length);
    this.#bytes.put(content);
  }

  content(): readonly Uint8Array[] {
    return this.#bytes.all();
  }
}

class Bytes {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  put(part: Uint8Array): void {
    this.#parts.push(part);
    this.length += part.length;
  }

  all(): readonly Uint8Array[] {
    return this.#parts;
  }
}

function nameOf(digest: string): string {
  return digest.slice(0, 32);
}
