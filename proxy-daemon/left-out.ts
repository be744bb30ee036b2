/** What is left out of the routes, as people and registrars are told it. Pure. */
import { paths } from '../registrar/layout.ts';
import { printable } from '../specs/problems.ts';
import type { Rejected } from './routes/route-table.ts';

/** A flood of bad registrations must not fill the status. */
const mostTold = 500;
const longestPath = 300;

/** Whoever may write to a registry may name a node anything: what people are shown of it moves no cursor. */
export function leftOut(path: string, reason: string): Rejected {
  return { path: printable(path).slice(0, longestPath), reason };
}

/** All that is left out, what our own machines registered first: it must not drown in what others did. */
export function allLeftOut(
  native: readonly Rejected[],
  ofTable: readonly Rejected[],
  foreign: readonly Rejected[],
): Rejected[] {
  const isNative = ({ path }: Rejected) => path.startsWith('/');
  const all = [...native, ...ofTable.filter(isNative), ...ofTable.filter((one) => !isNative(one)), ...foreign];
  const more = all.length - mostTold;
  if (more <= 0) return all;
  return [...all.slice(0, mostTold), { path: paths.services, reason: `${more} more registrations are left out` }];
}
