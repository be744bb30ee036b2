import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { sha256 } from '../../specs/digest.ts';
import { joinChecksums, shiftBy } from './join-checksums.ts';
import { comma, type Head } from './merge.ts';
import { packed } from './pack-fragment.ts';
import { type PartGroup, runOf } from './part-groups.ts';
import type { PieceFiles } from './piece-files.ts';
import { type ListLine, lineOf, listsText, PieceList } from './piece-list.ts';
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

/** By form and section, in the order of `wholeForms`; what is missing is empty. */
type Runs = readonly (readonly (KeptRun | undefined)[])[];

interface KeptGroup {
  name: string;
  runs: Runs;
}

/** So many groups in a row are joined once, and again only where one of them changed: of some hundred groups that leaves least to join. */
const groupsOfStretch = 12;

/** Stands in lists for the file of what is around the parts, whose name follows from all of its content. */
const around = '@';

/** Documents as lists of pieces (piece-list.ts): a change writes the group it is in, what is around the groups, and the lists. */
export class ListWriter {
  readonly #files: PieceFiles;
  /** What is in the folder of pieces, by the groups' keys. */
  #groups = new Map<string, KeptGroup>();
  /** What groups in a row make, by their names. */
  #stretches = new Map<string, Runs>();

  constructor(files: PieceFiles) {
    this.#files = files;
  }

  /** Writes the lists to `path`. Gives the names of all pieces in them. Blocks: for a thread. Throws what the file system says. */
  write(path: string, digest: string, head: Head, groups: readonly PartGroup[], at: number): Set<string> {
    const before = this.#groups;
    this.#groups = new Map();
    const kept = groups.map((group) => {
      const known = before.get(group.key);
      const own = known && this.#files.has(known.name) ? known : this.#keep(group);
      this.#groups.set(group.key, own);
      return own;
    });
    const glue = new Glue();
    const stretches = this.#joined(kept);
    const lists = wholeForms.map((form, at) => ({ file: form.file, ...listForm(form, at, head, stretches, glue) }));
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
    const written = (file: string, list: PieceList) => ({
      ...{ file, body: list.body().replaceAll(around, name), length: list.length, modified },
      digest: sha256(`${told} ${file} ${list.length}`),
    });
    const all = lists.flatMap(({ file, plain, zipped }) => [written(file, plain), written(`${file}.gz`, zipped)]);
    writeFileSync(path, listsText(digest, all), { mode: 0o644 });
    return new Set(names);
  }

  #joined(groups: readonly KeptGroup[]): Runs[] {
    const before = this.#stretches;
    this.#stretches = new Map();
    const stretches: Runs[] = [];
    for (let from = 0; from < groups.length; from += groupsOfStretch) {
      const own = groups.slice(from, from + groupsOfStretch);
      const key = own.map(({ name }) => name).join(' ');
      const runs = before.get(key) ?? joinedRuns(own);
      this.#stretches.set(key, runs);
      stretches.push(runs);
    }
    return stretches;
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

function joinedRuns(groups: readonly KeptGroup[]): Runs {
  return wholeForms.map((form, at) =>
    form.sections.map((_, place) => {
      const [first, ...rest] = groups.flatMap(({ runs }) => runs[at]?.[place] ?? []);
      if (first === undefined) return undefined;
      const others = rest.map(({ next }) => next);
      return { first: joinedLines([first.first, ...others]), next: joinedLines([first.next, ...others]) };
    }),
  );
}

function joinedLines(runs: readonly RunLines[]): RunLines {
  const lines = (form: 'plain' | 'packed') => ({
    text: runs.map((run) => run[form].text).join(''),
    length: runs.reduce((sum, run) => sum + run[form].length, 0),
  });
  const plain = lines('plain');
  const checksum = runs.reduce((sum, run) => joinChecksums(sum, run.checksum, run.shift), 0);
  return { plain, packed: lines('packed'), checksum, shift: shiftBy(plain.length) };
}

/** The lists of one form, plain and as a gzip file. `at`: its place among all forms. `stretches`: of all groups, in order. */
function listForm(form: Form, at: number, head: Head, stretches: readonly Runs[], glue: Glue) {
  const [plain, zipped] = [new PieceList(), new PieceList()];
  const places = new Map(form.sections.map((section, place) => [section, place]));
  const runIn = (runs: Runs, section: string) => runs[at]?.[places.get(section) ?? -1];
  let checksum = 0;
  glue.put(zipped, gzipHead);
  for (const one of form.frame(head, (section) => stretches.some((runs) => runIn(runs, section) !== undefined))) {
    if (typeof one === 'string') {
      const text = Buffer.from(one);
      checksum = crc32(text, checksum);
      glue.put(plain, text);
      glue.put(zipped, packed(text));
      continue;
    }
    let isFirst = true;
    for (const runs of stretches) {
      const run = runIn(runs, one.section);
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
