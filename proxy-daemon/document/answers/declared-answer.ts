/** Which schema a service's normalised document declares for the answer to a request. Pure. */
import { serverBase } from '../gateway-paths.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from '../json.ts';
import { targetOf } from './deviation.ts';

export interface AskedAnswer {
  /** In capitals. */
  method: string;
  /** What the instance saw, without the query. */
  path: string;
  /** The service's prefix at the gateway. */
  route: string;
  status: number;
  /** `application/json`, in lower case and without parameters. */
  type: string;
}

export interface DeclaredAnswer {
  /** `/zones/{id}` */
  path: string;
  /** Undefined where nothing is said of such an answer. */
  schema: Json | undefined;
}

/** Null where the document has no such operation. */
export function declaredAnswer(document: JsonObject, asked: AskedAnswer): DeclaredAnswer | null {
  const found = entriesOf(objectAt(document, 'paths')).flatMap(([path, item]) => {
    const operation = isObject(item) ? item[asked.method.toLowerCase()] : undefined;
    if (!isObject(item) || !isObject(operation)) return [];
    const places = placesOf(serverBase(asked.route, operation, item, document) + path, asked.path);
    return places === null ? [] : [{ path, operation, places }];
  });
  // As OpenAPI says: what is written out comes before parameters.
  const [best] = found.sort((a, b) => (a.places < b.places ? -1 : 1));
  return best ? { path: best.path, schema: schemaOf(document, best.operation, asked) } : null;
}

/** Which segments are parameters, `001` for `/a/b/{c}`; null where the path is another one. */
function placesOf(template: string, path: string): string | null {
  const [wanted, given] = [template.split('/'), path.split('/')];
  if (wanted.length !== given.length) return null;
  const kinds = wanted.map((segment, index) => kindOf(segment, given[index] ?? ''));
  return kinds.includes('-') ? null : kinds.join('');
}

function kindOf(segment: string, given: string): '0' | '1' | '-' {
  if (!segment.includes('{')) return segment === given || segment === decoded(given) ? '0' : '-';
  // Of `{id}.json` what is around the parameters counts.
  const around = segment.split(/\{[^}]*\}/);
  const [first = '', last = ''] = [around[0], around.at(-1)];
  const fits = given.length > first.length + last.length && given.startsWith(first) && given.endsWith(last);
  return fits ? '1' : '-';
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function schemaOf(document: JsonObject, operation: JsonObject, { status, type }: AskedAnswer): Json | undefined {
  const responses = objectAt(operation, 'responses');
  const name = [String(status), `${Math.floor(status / 100)}XX`, 'default'].find((one) =>
    Object.hasOwn(responses, one),
  );
  const said = name === undefined ? undefined : responses[name];
  const response = isObject(said) && typeof said.$ref === 'string' ? targetOf(document, said.$ref) : said;
  if (!isObject(response)) return undefined;
  const content = entriesOf(objectAt(response, 'content')).map(([of, media]) => [plain(of), media] as const);
  const media = [type, `${type.split('/')[0]}/*`, '*/*'].flatMap((one) => content.filter(([of]) => of === one))[0]?.[1];
  return isObject(media) ? media.schema : undefined;
}

/** A media type without its parameters, in lower case. */
export function plain(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}
