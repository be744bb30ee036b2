import { crc32 } from 'node:zlib';
import { sha256 } from '../../specs/digest.ts';
import { comma, type Piece } from './merge.ts';
import { deflate } from './pack-fragment.ts';
import type { Form, OpenPart, ServicePart } from './service-part.ts';
import { firstNotBefore } from './sorted-names.ts';

/** Services in a row whose parts are kept together: what is written anew where one of them changes. */
export interface PartGroup {
  /** Equal keys are equal groups. */
  key: string;
  parts: readonly ServicePart[];
}

/**
 * The mean number of services in a group. More of them make a change dearer to write (all of its group is), and the whole
 * cheaper to read (a file is opened for each group and section).
 */
const meanServices = 8;

/**
 * Parts, sorted by service, in groups. Which service begins one follows from its name alone, so that services that come and go change
 * no other group than the one that they are in. Groups of the same parts as `before` are the same objects.
 */
export function groupsOf(parts: readonly ServicePart[], before: readonly PartGroup[] = []): PartGroup[] {
  const known = new Map(before.map((group) => [group.parts[0]?.service, group]));
  const groups: PartGroup[] = [];
  for (let from = 0, to = 0; from < parts.length; from = to) {
    // What was found to be in a row before is, without a look at any name, as long as nobody came in between.
    const group = known.get(parts[from]?.service);
    to = from + 1;
    while (to < parts.length && (parts[to] === group?.parts[to - from] || !isFirst(parts[to]))) to += 1;
    const isSame = group?.parts.length === to - from && group.parts.every((part, at) => part === parts[from + at]);
    if (isSame) groups.push(group);
    else groups.push(groupOf(parts.slice(from, to)));
  }
  return groups;
}

/** The same groups with parts in the place of those of the same services, which must be there. */
export function groupsWith(groups: readonly PartGroup[], changed: readonly ServicePart[]): readonly PartGroup[] {
  const anew = [...groups];
  for (const part of changed) {
    const next = firstNotBefore(anew, part.service, firstOf);
    const at = anew[next]?.parts[0]?.service === part.service ? next : next - 1;
    const own = anew[at]?.parts ?? [];
    anew[at] = groupOf(own.map((one) => (one.service === part.service ? part : one)));
  }
  return anew;
}

function firstOf({ parts }: PartGroup): string {
  return parts[0]?.service ?? '';
}

function groupOf(parts: readonly ServicePart[]): PartGroup {
  return { key: sha256(parts.map(({ digest }) => digest).join(' ')), parts };
}

function isFirst(part: ServicePart | undefined): boolean {
  return crc32(part?.service ?? '') % meanServices === 0;
}

/** The parts' pieces of one section, in a row, all packed. Empty where no part has any. */
export function runOf(form: Form, section: string, parts: readonly OpenPart[]): Required<Piece>[] {
  const pieces = parts.flatMap(({ pieces: own }) => own[form.name][section] ?? []);
  const separated = form.isSeparated ? pieces.flatMap((piece, at) => (at === 0 ? piece : [comma, piece])) : pieces;
  if (separated.every(isPacked)) return separated;
  // What comes in short texts is packed together.
  const text = Buffer.concat(separated.map((piece) => piece.text));
  return [{ text, packed: deflate(text) }];
}

function isPacked(piece: Piece): piece is Required<Piece> {
  return piece.packed !== undefined;
}
