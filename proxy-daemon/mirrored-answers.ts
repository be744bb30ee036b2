/**
 * Answers to callers and to copies of their requests, as nginx hands them over (nginx/lua/mcp/seen-answer.lua): compared by their
 * shape, one word sent back for nginx to count, and of each version the last one that deviates is kept for people.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../registrar/clock.ts';
import type { AnswerPair, AnswerVerdict } from './document-source.ts';
import type { DeviatingAnswer, TrafficReport } from './version-figures.ts';

/** Of each of the two bodies, as in seen-answer.lua. */
const mostBytes = 64 * 1024;
/** Compared at a time; further ones are not. */
const mostAtOnce = 8;
/** Versions with a kept example. */
const mostExamples = 500;

export interface MirroredAnswersOptions {
  clock: Clock;
  compare: (pair: AnswerPair) => Promise<AnswerVerdict>;
}

export class MirroredAnswers {
  readonly #options: MirroredAnswersOptions;
  readonly #examples = new Map<string, DeviatingAnswer>();
  #busy = 0;

  constructor(options: MirroredAnswersOptions) {
    this.#options = options;
  }

  /** Takes a pair and says `conforms`, `deviates` or `unknown`. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const said = this.#busy >= mostAtOnce ? 'unknown' : await this.#judge(request).catch(() => 'unknown');
    request.resume();
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': said.length }).end(said);
  }

  /** The report with what is kept here. */
  told<Report extends Pick<TrafficReport, 'versions'>>(report: Report): Report {
    if (this.#examples.size === 0) return report;
    const versions = report.versions.map((one) => {
      const example = one.mirrored && this.#examples.get(`${one.service} ${one.version}`);
      return example && one.mirrored ? { ...one, mirrored: { ...one.mirrored, example } } : one;
    });
    return { ...report, versions };
  }

  async #judge(request: IncomingMessage): Promise<AnswerVerdict['outcome']> {
    this.#busy += 1;
    try {
      const pair = await readPair(request);
      const verdict = await this.#options.compare(pair);
      if (verdict.deviation) this.#keep(pair, verdict, verdict.deviation);
      return verdict.outcome;
    } finally {
      this.#busy -= 1;
    }
  }

  #keep(
    { service, version, to, status }: AnswerPair,
    { operation, basis }: AnswerVerdict,
    deviation: NonNullable<AnswerVerdict['deviation']>,
  ): void {
    const key = `${service} ${to}`;
    this.#examples.delete(key);
    const at = this.#options.clock.now();
    this.#examples.set(key, { at, against: version, operation, status, basis, ...deviation });
    for (const oldest of this.#examples.keys()) if (this.#examples.size > mostExamples) this.#examples.delete(oldest);
  }
}

/** Rejects where it is none. */
async function readPair(request: IncomingMessage): Promise<AnswerPair> {
  const words = (name: string) => String(request.headers[name] ?? '').split(' ');
  const [service = '', version = '', to = '', status = ''] = words('x-versions');
  const [method = '', path = ''] = words('x-operation');
  const [size = '', type = '', encoding = ''] = words('x-answer');
  const [copySize = '', copyType = '', copyEncoding = ''] = words('x-copy');
  const body = await bodyOf(request);
  if (body.length !== Number(size) + Number(copySize)) throw new Error('not as long as it says');
  return {
    ...{ service, version, to, method, path, status: Number(status) },
    answer: { type, encoding, body: body.subarray(0, Number(size)) },
    copy: { type: copyType, encoding: copyEncoding, body: body.subarray(Number(size)) },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > 2 * mostBytes) throw new Error('too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
