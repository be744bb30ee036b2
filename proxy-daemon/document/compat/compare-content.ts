import { canonicalJson } from '../../../specs/canonical-json.ts';
import { entriesOf, escapeToken, isObject, type Json, type JsonObject, objectAt } from '../json.ts';
import type { Direction } from './compare-values.ts';
import { type Located, locate, type Sink, schemaIn } from './operation-side.ts';

/** Content by media type. Pure. */

/** Compares the `content` of two bodies or responses. */
export function compareContent(sink: Sink, live: Located, next: Located, direction: Direction): void {
  const before = contentOf(live);
  const after = contentOf(next);
  for (const [type, media] of before) {
    const found = after.get(type) ?? cover(after, type, direction);
    if (found) compareMedia(sink, media, found, direction);
    else {
      const [kind, words] =
        direction === 'request'
          ? (['request-content-type-removed', `${type} is not taken any more`] as const)
          : (['response-content-type-removed', `${type} does not come back any more`] as const);
      sink.find(kind, words, { live: media.at, next: next.at });
    }
  }
  if (direction === 'request') return;
  for (const [type, media] of after) {
    if (!before.has(type) && before.size > 0 && !cover(before, type, 'request')) {
      sink.find('response-content-type-added', `${type} may be asked for now`, { next: media.at });
    }
  }
}

function contentOf({ value, at }: Located): Map<string, Located> {
  return new Map(
    entriesOf(objectAt(value, 'content')).flatMap(([type, media]): [string, Located][] =>
      isObject(media) ? [[mediaName(type), { value: media, at: `${at}/content/${escapeToken(type)}` }]] : [],
    ),
  );
}

/** Without parameters such as `charset`, and without case (RFC 9110, 8.3.1). */
function mediaName(type: string): string {
  return (type.split(';')[0] ?? type).trim().toLowerCase();
}

/**
 * Of ranges such as `application/*`: for what is sent, one that holds the type; for what comes back, a type that the live
 * document's range holds.
 */
function cover(types: ReadonlyMap<string, Located>, type: string, direction: Direction): Located | undefined {
  if (direction === 'request') return types.get(`${type.split('/')[0]}/*`) ?? types.get('*/*');
  const prefix = type === '*/*' ? '' : type.endsWith('/*') ? type.slice(0, -1) : undefined;
  return prefix === undefined ? undefined : [...types].find(([other]) => other.startsWith(prefix))?.[1];
}

function compareMedia(sink: Sink, live: Located, next: Located, direction: Direction): void {
  sink.compare(schemaIn(sink.live.side, live), schemaIn(sink.next.side, next), direction);
  const encoding = ({ value }: Located) => canonicalJson(shapes(objectAt(value, 'encoding')));
  if (direction === 'request' && encoding(live) !== encoding(next)) {
    sink.find('request-encoding-changed', 'parts of the body are written in another way now', {
      live: `${live.at}/encoding`,
      next: `${next.at}/encoding`,
    });
  }
}

function shapes(encoding: JsonObject): Json {
  return Object.fromEntries(
    entriesOf(encoding).map(([name, value]): [string, Json] => {
      const { contentType, style, explode, allowReserved } = isObject(value) ? value : {};
      return [name, { contentType, style, explode, allowReserved }];
    }),
  );
}

/** The request bodies of both operations. */
export function compareRequestBody(sink: Sink): void {
  const live = bodyOf(sink.live);
  const next = bodyOf(sink.next);
  if (!live && next?.value.required === true) {
    sink.find('request-body-required-added', 'a body must be sent now', { next: next.at });
  } else if (!live && next) {
    sink.find('request-body-added', 'a body may be sent now', { next: next.at });
  } else if (live && !next) {
    sink.find('request-body-removed', 'no body is taken any more', { live: live.at });
  } else if (live && next) {
    if (next.value.required === true && live.value.required !== true) {
      sink.find('request-body-became-required', 'the body must be sent now', { live: live.at, next: next.at });
    }
    compareContent(sink, live, next, 'request');
  }
}

function bodyOf({ side, operation, itemAt, method }: Sink['live']): Located | undefined {
  return locate(side, operation.requestBody, `${itemAt}/${method}/requestBody`);
}
