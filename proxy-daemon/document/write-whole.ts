import { join } from 'node:path';
import { comma, fillFrame, type Head, type Piece } from './merge.ts';
import { type PartGroup, runOf } from './part-groups.ts';
import { type Form, type HeldPart, serviceForms, wholeForms } from './service-part.ts';
import { writePieces } from './write-document.ts';

/** Documents as whole files, each beside a packed one: any nginx can serve them. Costs a copy of everything for each change. */
export class WholeWriter {
  /** What was made for a group, as long as there is it. */
  #runs = new Map<string, Map<string, Required<Piece>[]>>();

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
  }

  #runOf(form: Form, section: string, { key, parts }: PartGroup): Required<Piece>[] {
    const own = this.#runs.get(key);
    const name = `${form.name} ${section}`;
    const run = own?.get(name) ?? runOf(form, section, parts);
    own?.set(name, run);
    return run;
  }
}

/** Writes the files of one service alone. */
export function writeService(folder: string, head: Head, held: HeldPart, at: number): void {
  for (const form of serviceForms) {
    const own = (section: string) => runOf(form, section, [held]);
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
