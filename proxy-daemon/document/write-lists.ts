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
import { type Form, type OpenPart, openPart, wholeForms } from './service-part.ts';
import { gzipHead, gzipTail } from './write-document.ts';

/** Where the parts of one group stand in its file, of one form and section, as lines of lists: made once, joined for each change. */
interface KeptRun {
  /** Where nothing of the section is before them, and where something is: with a comma then, if the form wants one. */
  first: RunLines;
  next: RunLines;
}

interface RunLines {
  plain: ListLine;
  packed: ListLine;
  /** Of the plain text. */
  checksum: number;
  /** See joinChecksums. */
  shift: number;
}

interface KeptGroup {
  name: string;
  /** By form and section, in the order of `wholeForms`; what is missing is empty. */
  runs: readonly (readonly (KeptRun | undefined)[])[];
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
    const lists = wholeForms.map((form, at) => ({ file: form.file, ...listForm(form, at, head, kept, glue) }));
    const content = glue.content();
    const hash = createHash('sha256');
    // With where one ends and the next begins, so that the names of all files tell all lists.
    hash.update(content.map((part) => part.length).join(' '));
    for (const part of content) hash.update(part);
    const name = nameOf(hash.digest('hex'));
    this.#files.keep(name, content);
    const modified = Math.floor(at / 1000);
    const names = [name, ...kept.map((group) => group.name)];
    // Names stand for what is in the files; what a list takes of it follows from them, and from which list it is.
    const told = sha256(names.join(' '));
    for (const { file, plain, zipped } of lists) {
      for (const [suffix, list] of [['', plain] as const, ['.gz', zipped] as const]) {
        const path = join(folder, `${file}${suffix}${listSuffix}`);
        const etag = sha256(`${told} ${file}${suffix} ${list.length}`);
        writeFileSync(path, listText(list.body().replaceAll(around, name), etag, list.length, modified), {
          mode: 0o644,
        });
        utimesSync(path, modified, modified);
      }
    }
    return new Set(names);
  }

  #keep({ key, parts }: PartGroup): KeptGroup {
    const open = parts.map(openPart);
    const bytes = new Bytes();
    const places = wholeForms.map((form) => form.sections.map((section) => placeRun(bytes, form, section, open)));
    // Of what it is made of, and of what came out: other code may write the same parts otherwise.
    const name = nameOf(sha256(JSON.stringify([key, places])));
    this.#files.keep(name, bytes.all());
    return { name, runs: places.map((own) => own.map((place) => place && keptRun(name, place))) };
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

function placeRun(bytes: Bytes, form: Form, section: string, parts: readonly OpenPart[]): RunPlace | undefined {
  const pieces = runOf(form, section, parts);
  if (pieces.length === 0) return undefined;
  if (form.isSeparated) bytes.put(comma.text);
  const plain = bytes.place(() => {
    for (const piece of pieces) bytes.put(piece.text);
  });
  if (form.isSeparated) bytes.put(comma.packed);
  const packedPlace = bytes.place(() => {
    for (const piece of pieces) bytes.put(piece.packed);
  });
  const checksum = pieces.reduce((sum, { text }) => crc32(text, sum), 0);
  return { isSeparated: form.isSeparated, plain, packed: packedPlace, checksum };
}

function keptRun(name: string, { isSeparated, plain, packed: zipped, checksum }: RunPlace): KeptRun {
  const after = ({ offset, length }: Place, lead: number) => lineOf(name, offset - lead, length + lead);
  const shift = shiftBy(plain.length);
  const first = { plain: after(plain, 0), packed: after(zipped, 0), checksum, shift };
  if (!isSeparated) return { first, next: first };
  const next = {
    plain: after(plain, comma.text.length),
    packed: after(zipped, comma.packed.length),
    checksum: joinChecksums(crc32(comma.text), checksum, shift),
    shift: shiftBy(plain.length + comma.text.length),
  };
  return { first, next };
}

/** The lists of one form, plain and as a gzip file. `at`: its place among all forms. */
function listForm(form: Form, at: number, head: Head, groups: readonly KeptGroup[], glue: Glue) {
  const [plain, zipped] = [new PieceList(), new PieceList()];
  const places = new Map(form.sections.map((section, place) => [section, place]));
  const runOfGroup = (group: KeptGroup, section: string) => group.runs[at]?.[places.get(section) ?? -1];
  let checksum = 0;
  glue.put(zipped, gzipHead);
  for (const one of form.frame(head, (section) => groups.some((group) => runOfGroup(group, section) !== undefined))) {
    if (typeof one === 'string') {
      const text = Buffer.from(one);
      checksum = crc32(text, checksum);
      glue.put(plain, text);
      glue.put(zipped, packed(text));
      continue;
    }
    let isFirst = true;
    for (const group of groups) {
      const run = runOfGroup(group, one.section);
      if (run === undefined) continue;
      const lines = isFirst ? run.first : run.next;
      isFirst = false;
      checksum = joinChecksums(checksum, lines.checksum, lines.shift);
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
