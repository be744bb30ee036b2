/**
 * Registrants of other software come and go by habit: Curator deletes and makes its node anew after each reconnect, Nerve makes
 * one with another number. So an instance that vanishes stays for a short grace; one that said before that it leaves, or whose
 * endpoint is registered anew, does not. Pure: time is an argument.
 */
import { endpointOf, type LiveRegistration } from './route-table.ts';

/** What is remembered from one look to the next. */
export interface FlapMemory {
  /** What was there, held ones included. */
  seen: readonly LiveRegistration[];
  /** Path of each held one to the time when it was first missed. */
  missing: ReadonlyMap<string, number>;
}

export const noFlaps: FlapMemory = { seen: [], missing: new Map() };

export interface Absorbed {
  registrations: readonly LiveRegistration[];
  memory: FlapMemory;
  /** When the next grace ends, on the clock of `now`; null while none runs. */
  due: number | null;
}

/** @param now ms on any clock that only goes forward */
export function absorbFlaps(
  before: FlapMemory,
  current: readonly LiveRegistration[],
  now: number,
  graceMs: number,
): Absorbed {
  const present = new Set(current.map(({ path }) => path));
  const occupied = new Set(current.map(({ record }) => endpointOf(record)));
  const missing = new Map<string, number>();
  const held = before.seen.filter(({ path, record }) => {
    if (present.has(path) || record.state !== 'up' || occupied.has(endpointOf(record))) return false;
    const since = before.missing.get(path) ?? now;
    if (now >= since + graceMs) return false;
    missing.set(path, since);
    return true;
  });
  const registrations = held.length === 0 ? current : [...current, ...held];
  const due = missing.size === 0 ? null : Math.min(...missing.values()) + graceMs;
  return { registrations, memory: { seen: registrations, missing }, due };
}
