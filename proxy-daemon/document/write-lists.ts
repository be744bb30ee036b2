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
import { type ListLine, lineOf, listSuffix, listText, PieceList } from './piece-list.ts';
import { type Form, wholeForms } from './service-part.ts';
import { gzipHead, gzipTail } from './write-document.ts';

/** Where the parts of one group stand in its file, of one form and section, as lines of lists: made once, joined for each change. */
interface KeptRun {
  /** Where nothing of the section is before them, and where something is: with a comma then, if the form wants one. */
  first: RunLines;
  next: RunLines;
  checksum: number;
  /** See joinChecksums. */
  shift: number;
}

interface RunLines {
  plain: ListLine;
  packed: ListLine;
}

interface KeptGroup {
  name: string;
  /** By form and section; what is missing is empty. */
  runs: ReadonlyMap<string, KeptRun>;
}

/** Stands in lists for the file of what is around the parts, whose name follows from all of its content. */
const around = '@';

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
      for (const [suffix, list] of [['', plain] as const, ['.gz', zipped] as const]) {
        const path = join(folder, `${file}${suffix}${listSuffix}`);
        writeFileSync(path, listText(list.body().replaceAll(around, name), list.length, modified), { mode: 0o644 });
        utimesSync(path, modified, modified);
      }
    }
    return new Set([name, ...kept.map((group) => group.name)]);
  }

  #keep({ key, parts }: PartGroup): KeptGroup {
    const bytes = new Bytes();
    const places: [string, RunPlace][] = [];
    for (const form of wholeForms) {
      for (const section of form.sections) {
        const pieces = runOf(form, section, parts);
        if (pieces.length === 0) continue;
        if (form.isSeparated) bytes.put(comma.text);
        const plain = bytes.place(() => {
          for (const piece of pieces) bytes.put(piece.text);
        });
        if (form.isSeparated) bytes.put(comma.packed);
        const packedPlace = bytes.place(() => {
          for (const piece of pieces) bytes.put(piece.packed);
        });
        const checksum = pieces.reduce((sum, { text }) => crc32(text, sum), 0);
        places.push([keyOf(form, section), { isSeparated: form.isSeparated, plain, packed: packedPlace, checksum }]);
      }
    }
    // Of what it is made of, and of what came out: other code may write the same parts otherwise.
    const name = nameOf(sha256(JSON.stringify([key, places])));
    this.#files.keep(name, bytes.all());
    return { name, runs: new Map(places.map(([run, place]) => [run, keptRun(name, place)])) };
  }
}

interface Place {
  offset: number;
  length: number;
}

interface RunPlace {
  isSeparated: boolean;
  plain: Place;
  packed: Place;
  checksum: number;
}

function keptRun(name: string, { isSeparated, plain, packed: zipped, checksum }: RunPlace): KeptRun {
  const after = ({ offset, length }: Place, lead: number) => lineOf(name, offset - lead, length + lead);
  const [lead, zippedLead] = isSeparated ? [comma.text.length, comma.packed.length] : [0, 0];
  return {
    first: { plain: after(plain, 0), packed: after(zipped, 0) },
    next: { plain: after(plain, lead), packed: after(zipped, zippedLead) },
    checksum,
    shift: shiftBy(plain.length),
  };
}

function keyOf(form: Form, section: string): string {
  return `${form.name} ${section}`;
}

/** The lists of one form, plain and as a gzip file. */
function listForm(form: Form, head: Head, groups: readonly KeptGroup[], glue: Glue) {
  const [plain, zipped] = [new PieceList(), new PieceList()];
  const runsOf = (section: string): KeptRun[] => {
    const key = keyOf(form, section);
    return groups.flatMap(({ runs }) => runs.get(key) ?? []);
  };
  const bySection = new Map(form.sections.map((section) => [section, runsOf(section)]));
  let checksum = 0;
  glue.put(zipped, gzipHead);
  for (const one of form.frame(head, (section) => (bySection.get(section) ?? []).length > 0)) {
    if (typeof one === 'string') {
      const text = Buffer.from(one);
      checksum = crc32(text, checksum);
      glue.put(plain, text);
      glue.put(zipped, packed(text));
      continue;
    }
    for (const [at, run] of (bySection.get(one.section) ?? []).entries()) {
      const lines = at === 0 ? run.first : run.next;
      if (form.isSeparated && at > 0) checksum = crc32(comma.text, checksum);
      checksum = joinChecksums(checksum, run.checksum, run.shift);
      plain.add(lines.plain);
      zipped.add(lines.packed);
    }
  }
  glue.put(zipped, gzipTail(checksum, plain.length));
  return { plain, zipped };
}

/** What stands around the parts in all lists, in one file. */
class Glue {
  readonly #bytes = new Bytes();

  put(list: PieceList, content: Uint8Array): void {
    list.add(lineOf(around, this.#bytes.length, content.length));
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

  /** Where that is which `put` puts. */
  place(put: () => void): Place {
    const offset = this.length;
    put();
    return { offset, length: this.length - offset };
  }

  all(): readonly Uint8Array[] {
    return this.#parts;
  }
}

function nameOf(digest: string): string {
  return digest.slice(0, 32);
}
