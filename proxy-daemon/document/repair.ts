import { isMcpError, McpError } from '../../specs/errors.ts';
import type { JsonObject } from './json.ts';
import { localiseRefs } from './local-refs.ts';
import {
  convertSwagger2,
  normaliseDocument,
  refuseUnknownVersion,
  rewriteOpenApi3,
  validateDocument,
} from './normalise.ts';
import { broken, repairFields, repairUnseen } from './repair-fields.ts';
import { withSoundNames } from './sound-names.ts';

/** So many notes are kept of one document; the others are counted. */
const mostNotes = 50;
const longestNote = 300;

export interface Repaired {
  document: JsonObject;
  /** What was repaired, for people. */
  notes: string[];
}

/**
 * What a document may break without being left out: its format's letter, and references to what it does not hold. One that
 * refers to other documents, or in circles, may be an attack: it is refused whole.
 */
const repairable = ['DOCUMENT_INVALID', 'DOCUMENT_DANGLING_REF'];

/**
 * The document as normaliseDocument makes it. Where it breaks its format, the broken parts alone are repaired or dropped, each with
 * a note: documents in the wild often break the letter in one place. What comes out is valid, or the document is refused.
 *
 * Throws what normaliseDocument throws.
 */
export async function repairAndNormalise(document: JsonObject): Promise<Repaired> {
  const notes = new Set<string>();
  const say = (note: string) => notes.add(note.slice(0, longestNote));
  let normalised: JsonObject;
  try {
    normalised = await normaliseDocument(document);
  } catch (fault) {
    if (!isMcpError(fault, ...repairable)) throw fault;
    refuseUnknownVersion(document);
    normalised = await repaired(document, fault, notes);
  }
  const sound = repairUnseen(normalised, say);
  const all = [...notes];
  const more = all.length - mostNotes;
  return { document: sound, notes: more > 0 ? [...all.slice(0, mostNotes), `and ${more} more`] : all };
}

async function repaired(document: JsonObject, fault: McpError, notes: Set<string>): Promise<JsonObject> {
  const say = (note: string) => notes.add(note.slice(0, longestNote));
  const count = () => notes.size;
  try {
    const openapi3 = document.swagger === undefined ? document : await convertSwagger2(document);
    const onBroken = (problem: McpError, at: string) => {
      say(`#${at} ${problem.message}: left out`);
      return broken;
    };
    let whole = repairFields(rewriteOpenApi3(withSoundNames(openapi3, say), onBroken), say);
    // What was dropped may have been referred to, and so on.
    for (let round = 0, before = 0; round < 10 && before < count(); round++) {
      before = count();
      whole = repairFields(localiseRefs(whole, onBroken), say);
    }
    validateDocument(whole);
    // What 3.0 forbids and 3.1 allows needs no repair: all is read as 3.1.
    say(fault.message);
    return whole;
  } catch (cause) {
    // What was wrong with the document as it came says more than what could not be repaired.
    throw isMcpError(cause) ? fault : new McpError('DOCUMENT_INVALID', fault.message, { cause, hint: fault.hint });
  }
}
