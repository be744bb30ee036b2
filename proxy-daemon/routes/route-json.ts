/** Routes as JSON, each written once: it never changes, and with many routes they are most of what is written of a table. Pure. */
import type { Route } from './route-table.ts';

const texts = new WeakMap<Route, string>();
/** Routes in one part. */
const perPart = 100;

/** The JSON of the list, in parts. */
export function* routesJson(routes: readonly Route[]): Generator<string> {
  yield '[';
  for (let at = 0; at < routes.length; at += perPart) {
    const part = routes.slice(at, at + perPart).map(jsonOf);
    yield `${at === 0 ? '' : ','}${part.join(',')}`;
  }
  yield ']';
}

function jsonOf(route: Route): string {
  const known = texts.get(route);
  if (known !== undefined) return known;
  const text = JSON.stringify(route);
  texts.set(route, text);
  return text;
}
