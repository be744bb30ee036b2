import { join } from 'node:path';
import { comma, fillFrame, type Head, type Piece } from './merge.ts';
import { type PartGroup, runOf } from './part-groups.ts';
import { type Form, type OpenPart, openPart, type ServicePart, serviceForms, wholeForms } from './service-part.ts';
import { writePieces } from './write-document.ts';

/** Documents as whole files, each beside a packed one: any nginx can serve them. Costs a copy of everything for each change. */
export class WholeWriter {
  /** What was made for a group, as long as there is it. */
  #runs = new Map<string, Map<string, Required<Piece>[]>>();
  /** Of the groups that are being made, while one document is written. */
  readonly #open = new Map<string, OpenPart[]>();

  /** Blocks: for a thread. Throws what the file system says. */
  write(folder: string, head: Head, groups: readonly PartGroup[], at: number): void {
    const before = this.#runs;
    this.#runs = new Map(groups.map(({ key }) => [key, before.get(key) ?? new Map()]));
    for (const form of wholeForms) {
      const runs = (section: string) =>
        groups.map((group) => this.#runOf(form, section, group)).filter((run) => run.length > 0);
      const joined = new Map(form.sections.map((section) => [section, runs(section)]));
      const pieces = fillFrame(
        form.frame(head, (section) => (joined.get(section) ?? []).length > 0),
        (section) => separated(form, joined.get(section) ?? []),
      );
      writePieces(join(folder, form.file), pieces, at);
    }
    this.#open.clear();
  }

  #runOf(form: Form, section: string, { key, parts }: PartGroup): Required<Piece>[] {
    const own = this.#runs.get(key);
    const name = `${form.name} ${section}`;
    const known = own?.get(name);
    if (known) return known;
    const open = this.#open.get(key) ?? parts.map(openPart);
    this.#open.set(key, open);
    const run = runOf(form, section, open);
    own?.set(name, run);
    return run;
  }
}

/** Writes the files of one service alone. */
export function writeService(folder: string, head: Head, part: ServicePart, at: number): void {
  const open = [openPart(part)];
  for (const form of serviceForms) {
    const own = (section: string) => runOf(form, section, open);
    writePieces(
      join(folder, form.file),
      fillFrame(
        form.frame(head, (section) => own(section).length > 0),
        own,
      ),
      at,
    );
  }
}

function separated(form: Form, runs: readonly Required<Piece>[][]): Piece[] {
  return runs.flatMap((run, at) => (form.isSeparated && at > 0 ? [comma, ...run] : run));
}
