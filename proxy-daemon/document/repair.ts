import { isMcpError, McpError } from '../../specs/errors.ts';
import type { JsonObject } from './json.ts';
import {
  convertSwagger2,
  normaliseDocument,
  refuseUnknownVersion,
  rewriteOpenApi3,
  validateDocument,
} from './normalise.ts';
import { broken, repairFields, repairUnseen } from './repair-fields.ts';

/** So many notes are kept of one document; the others are counted. */
const mostNotes = 50;

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
  const say = (note: string) => notes.add(note.slice(0, 300));
  let normalised: JsonObject;
  try {
    normalised = await normaliseDocument(document);
  } catch (fault) {
    if (!isMcpError(fault, ...repairable)) throw fault;
    refuseUnknownVersion(document);
    normalised = await repaired(document, fault, say);
  }
  const sound = repairUnseen(normalised, say);
  const all = [...notes];
  const more = all.length - mostNotes;
  return { document: sound, notes: more > 0 ? [...all.slice(0, mostNotes), `and ${more} more`] : all };
}

async function repaired(document: JsonObject, fault: McpError, say: (note: string) => void): Promise<JsonObject> {
  try {
    const openapi3 = document.swagger === undefined ? document : await convertSwagger2(document);
    const local = rewriteOpenApi3(openapi3, (problem, at) => {
      say(`#${at} ${problem.message}: left out`);
      return broken;
    });
    const whole = repairFields(local, say);
    await validateDocument(whole);
    // What 3.0 forbids and 3.1 allows needs no repair: all is read as 3.1.
    say(fault.message);
    return whole;
  } catch (cause) {
    // What was wrong with the document as it came says more than what could not be repaired.
    throw isMcpError(cause) ? fault : new McpError('DOCUMENT_INVALID', fault.message, { cause, hint: fault.hint });
  }
}
