import { crc32 } from 'node:zlib';
import { sha256 } from '../../specs/digest.ts';
import { comma, type Piece } from './merge.ts';
import { deflate } from './pack-fragment.ts';
import type { Form, HeldPart } from './service-part.ts';

/** Services in a row whose parts are kept together: what is written anew where one of them changes. */
export interface PartGroup {
  /** Equal keys are equal groups. */
  key: string;
  parts: readonly HeldPart[];
}

/**
 * The mean number of services in a group. More of them make a change dearer to write (all of its group is), and the whole
 * cheaper to read (a file is opened for each group and section).
 */
const meanServices = 8;

/**
 * Parts, sorted by service, in groups. Which service begins one follows from its name alone, so that services that come and go change
 * no other group than the one that they are in.
 */
export function groupsOf(parts: readonly HeldPart[]): PartGroup[] {
  const groups: HeldPart[][] = [];
  for (const held of parts) {
    const isFirst = crc32(held.part.service) % meanServices === 0;
    const last = groups.at(-1);
    if (last === undefined || isFirst) groups.push([held]);
    else last.push(held);
  }
  return groups.map((own) => ({ key: sha256(own.map(({ part }) => part.digest).join(' ')), parts: own }));
}

/** The parts' pieces of one section, in a row, all packed. Empty where no part has any. */
export function runOf(form: Form, section: string, parts: readonly HeldPart[]): Required<Piece>[] {
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
