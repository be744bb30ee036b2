/** The live instances that get traffic and have a document. Pure but for what it remembers. */
import type { DocumentTarget } from './document-source.ts';
import { routeDifferences } from './routes/route-differences.ts';
import type { Route } from './routes/route-table.ts';

const made = new WeakMap<Route, readonly DocumentTarget[]>();

export class DocumentTargets {
  #routes: readonly Route[] = [];
  #targets: readonly DocumentTarget[] = [];

  /** The same array as long as no route with a document differs. */
  of(routes: readonly Route[]): readonly DocumentTarget[] {
    const { left, entered } = routeDifferences(this.#routes, routes);
    this.#routes = routes;
    const hasDocument = (route: Route) => targetsOf(route).length > 0;
    if (left.some(hasDocument) || entered.some(hasDocument)) this.#targets = routes.flatMap(targetsOf);
    return this.#targets;
  }
}

function targetsOf(route: Route): readonly DocumentTarget[] {
  const known = made.get(route);
  if (known) return known;
  const { document, prefix, service, instances } = route;
  const live = document === null ? [] : instances.filter(({ weight }) => weight > 0);
  const targets = live.map(({ version, address, port, weight }) => {
    return { service, version, address, port, path: document ?? '', route: prefix, weight };
  });
  made.set(route, targets);
  return targets;
}
