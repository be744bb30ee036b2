/** Which generation reflects the registry up to which zxid: what the gateway may promise about drained instances. Pure. */
import type { GatewayMark } from '../registrar/records.ts';

/** Newest last, one a generation. */
export type Marks = readonly GatewayMark[];

/** `generation` now reflects everything up to `asOf`. A mark's zxid never goes back. */
export function withMark(marks: Marks, generation: number, asOf: number): Marks {
  const last = marks.at(-1);
  if (last?.generation === generation) {
    return asOf <= last.asOf ? marks : [...marks.slice(0, -1), { generation, asOf }];
  }
  return [...marks, { generation, asOf: Math.max(asOf, last?.asOf ?? 0) }];
}

/** What is served: the newest mark, if there is one yet. */
export function servedMark(marks: Marks): GatewayMark | undefined {
  return marks.at(-1);
}

/**
 * What is drained, given the oldest generation that may have a request in flight: everything that this generation reflects.
 * Of a generation from before this daemon's time nothing is known but its number.
 */
export function drainedMark(marks: Marks, oldestInFlight: number): GatewayMark {
  return marks.findLast(({ generation }) => generation <= oldestInFlight) ?? { generation: oldestInFlight, asOf: 0 };
}

/** Without the marks that can't be asked for any more. */
export function pruned(marks: Marks, oldestInFlight: number): Marks {
  const first = marks.findLastIndex(({ generation }) => generation <= oldestInFlight);
  return first > 0 ? marks.slice(first) : marks;
}
