/**
 * One request's answer and that of its copy, compared by their shape: by what the document of the version that answered declares;
 * where it declares nothing, or the answer itself is not as declared, by the answer. For a thread: both were written by services.
 */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { AnswerPair, AnswerVerdict } from '../../document-source.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { declaredAnswer, plain } from './declared-answer.ts';
import { type Deviation, deviationOf, TooManySteps } from './deviation.ts';
import { shapeOf } from './shape-of.ts';

export interface AnswersJob {
  kind: 'answers';
  pair: AnswerPair;
  route: string;
  /** Normalised JSON of the version that answered the caller, and its digest; null: there is none. */
  declared: { digest: string; document: Uint8Array } | null;
}

/** What a packed body may become, bytes. */
const mostBytes = 1024 * 1024;
const unknown: AnswerVerdict = { outcome: 'unknown', basis: 'answer', operation: '', deviation: null };

export function compareAnswers({ pair, route, declared }: AnswersJob): AnswerVerdict {
  const [answer, copy] = [read(pair.answer), read(pair.copy)];
  if (answer === undefined) return unknown;
  const asked = { ...pair, route, path: pair.path.split('?')[0] ?? '', type: plain(pair.answer.type) };
  try {
    const document = declared && parsedOnce(declared);
    const found = document && declaredAnswer(document, asked);
    const schema = found?.schema;
    const isDeclared = document !== null && schema !== undefined && deviationOf(schema, answer, document) === null;
    const basis = isDeclared ? 'document' : 'answer';
    const deviation =
      copy === undefined
        ? { where: '', expected: 'JSON', found: 'something else' }
        : isDeclared
          ? deviationOf(schema, copy, document)
          : unnamed(deviationOf(shapeOf(answer), copy, null));
    // A path that no document names may hold anything.
    const operation = found ? `${pair.method} ${found.path}` : pair.method;
    return { outcome: deviation ? 'deviates' : 'conforms', basis, operation, deviation };
  } catch (error) {
    if (error instanceof TooManySteps) return unknown;
    throw error;
  }
}

/** What an answer happens to hold as names may be somebody's data, so none is told. */
function unnamed(deviation: Deviation | null): Deviation | null {
  return deviation && { ...deviation, where: deviation.where.replaceAll(/[^/]+/g, '*') };
}

/** Undefined where it is not JSON, or is too large. */
function read({ encoding, body }: AnswerPair['answer']): Json | undefined {
  try {
    return JSON.parse(Buffer.from(unpacked(encoding, body)).toString()) as Json;
  } catch {
    return undefined;
  }
}

function unpacked(encoding: string, body: Uint8Array): Uint8Array {
  const limit = { maxOutputLength: mostBytes };
  if (encoding === '' || encoding === 'identity') return body;
  if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(body, limit);
  if (encoding === 'deflate') return inflateSync(body, limit);
  if (encoding === 'br') return brotliDecompressSync(body, limit);
  throw new Error('unknown encoding');
}

const mostParsed = 8;
const parsed = new Map<string, JsonObject>();

/** The last few documents stay as they are parsed: one of 2 MiB takes longer than all the rest. */
function parsedOnce({ digest, document }: NonNullable<AnswersJob['declared']>): JsonObject {
  const found: Json = parsed.get(digest) ?? (JSON.parse(Buffer.from(document).toString()) as Json);
  const made = isObject(found) ? found : {};
  parsed.delete(digest);
  parsed.set(digest, made);
  for (const oldest of parsed.keys()) if (parsed.size > mostParsed) parsed.delete(oldest);
  return made;
}
