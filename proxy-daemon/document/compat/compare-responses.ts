import { entriesOf, escapeToken, objectAt } from '../json.ts';
import { compareContent } from './compare-content.ts';
import { type Located, locate, type OperationSide, type Sink, schemaIn } from './operation-side.ts';

/** What comes back: statuses, headers, bodies. Pure. */
export function compareResponses(sink: Sink): void {
  const before = responsesOf(sink.live);
  const after = responsesOf(sink.next);
  const at = {
    live: `${sink.live.itemAt}/${sink.live.method}/responses`,
    next: `${sink.next.itemAt}/${sink.next.method}/responses`,
  };
  for (const [status, live] of before) {
    const next = after.get(status) ?? fallback(after, status);
    if (next) compareResponse(sink, live, next);
    else if (isGood(status))
      sink.find('response-status-removed', `${status} does not come back any more`, { live: live.at, next: at.next });
    else
      sink.find('response-error-status-removed', `${status} does not come back any more`, {
        live: live.at,
        next: at.next,
      });
  }
  for (const [status, next] of after) {
    if (before.has(status)) continue;
    const covering = fallback(before, status);
    // What `default` describes are errors, as a rule: a new success is no instance of it.
    if (covering && (!isGood(status) || !before.has('default') || covering !== before.get('default')))
      compareResponse(sink, covering, next);
    else if (isGood(status))
      sink.find('response-status-added', `${status} may come back now`, { live: at.live, next: next.at });
    else sink.find('response-error-status-added', `${status} may come back now`, { live: at.live, next: next.at });
  }
}

function responsesOf({ side, operation, itemAt, method }: OperationSide): Map<string, Located> {
  return new Map(
    entriesOf(objectAt(operation, 'responses')).flatMap(([status, response]): [string, Located][] => {
      const located = locate(side, response, `${itemAt}/${method}/responses/${escapeToken(status)}`);
      return located && !status.startsWith('x-') ? [[status.toUpperCase().replace('DEFAULT', 'default'), located]] : [];
    }),
  );
}

/** `2XX` for 200, then `default` (OpenAPI, Responses Object). */
function fallback(responses: ReadonlyMap<string, Located>, status: string): Located | undefined {
  return /^\d/.test(status) ? (responses.get(`${status[0]}XX`) ?? responses.get('default')) : undefined;
}

function isGood(status: string): boolean {
  return /^[123]/.test(status);
}

function compareResponse(sink: Sink, live: Located, next: Located): void {
  compareHeaders(sink, live, next);
  compareContent(sink, live, next, 'response');
}

function compareHeaders(sink: Sink, live: Located, next: Located): void {
  const before = headersOf(sink.live, live);
  const after = headersOf(sink.next, next);
  for (const [name, header] of before) {
    const other = after.get(name);
    const sure = header.value.required === true;
    if (!other) {
      const kind = sure ? 'response-header-removed' : 'response-optional-header-removed';
      sink.find(kind, `the header ${name} does not come back any more`, { live: header.at, next: next.at });
      continue;
    }
    if (sure && other.value.required !== true) {
      sink.find('response-header-became-optional', `the header ${name} may be missing now`, {
        live: header.at,
        next: other.at,
      });
    }
    sink.compare(schemaIn(sink.live.side, header), schemaIn(sink.next.side, other), 'response');
  }
}

function headersOf({ side }: OperationSide, { value, at }: Located): Map<string, Located> {
  return new Map(
    entriesOf(objectAt(value, 'headers')).flatMap(([name, header]): [string, Located][] => {
      const located = locate(side, header, `${at}/headers/${escapeToken(name)}`);
      return located && name.toLowerCase() !== 'content-type' ? [[name.toLowerCase(), located]] : [];
    }),
  );
}
