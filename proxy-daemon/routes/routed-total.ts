/** How many instances of a table's routes get traffic: counted on from the table before. Pure but for what it remembers. */
import { routeDifferences } from './route-differences.ts';
import type { Route } from './route-table.ts';

export class RoutedTotal {
  #routes: readonly Route[] = [];
  #total = 0;

  of(routes: readonly Route[]): number {
    const { left, entered } = routeDifferences(this.#routes, routes);
    this.#total += sum(entered) - sum(left);
    this.#routes = routes;
    return this.#total;
  }
}

function sum(routes: readonly Route[]): number {
  return routes.reduce((total, { instances }) => total + instances.filter(({ weight }) => weight > 0).length, 0);
}
