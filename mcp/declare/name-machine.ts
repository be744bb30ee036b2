/** A machine by the beginning of its id, as people write it. Pure. */
import { McpError } from '../../specs/errors.ts';
import { didYouMean } from '../../specs/near-miss.ts';

/** Characters of an id in tables. */
const shownLength = 8;

/**
 * The one machine whose id begins so; the same id twice is one. Errors: USAGE_UNKNOWN_MACHINE with the nearest id,
 * USAGE_AMBIGUOUS_MACHINE.
 */
export function machineNamed<T>(machines: readonly T[], idOf: (machine: T) => string, id: string): T {
  const found = id === '' ? [] : machines.filter((machine) => idOf(machine).startsWith(id));
  const [first] = found;
  if (first !== undefined && new Set(found.map(idOf)).size === 1) return first;
  if (first === undefined) {
    const length = Math.max(shownLength, id.length);
    const near = didYouMean(
      id,
      machines.map((machine) => idOf(machine).slice(0, length)),
    );
    throw new McpError('USAGE_UNKNOWN_MACHINE', `no machine’s id begins with ${id || 'nothing'}${near}`, {
      hint: '`mcp machines --all` lists those there are and those that ended lately.',
    });
  }
  const ids = found.slice(0, 5).map(idOf);
  throw new McpError('USAGE_AMBIGUOUS_MACHINE', `${found.length} machines’ ids begin with ${id}: ${ids.join(', ')}`, {
    hint: 'Give more of it.',
  });
}
