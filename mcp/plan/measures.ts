/** How long things took in this environment: medians of what machines' stories tell. What never happened is not there. Pure. */
import type { EndedRecord, MachineRecord } from '../../registrar/records.ts';
import { median } from '../../specs/median.ts';
import { machineKind } from './warm-pool.ts';

/** A median of what was measured, ms, and of how many. */
export interface Measure {
  ms: number;
  of: number;
}

export interface Measures {
  /** From the ledger's first word of a machine until it was ready: by image, or image and service template. */
  build: Record<string, Measure>;
  /** From its claim until it served: by `dns@1.2.0` and by `dns`. Those that ran the service already are `warm`. */
  start: Record<string, Measure>;
  warm: Record<string, Measure>;
  /** From the word to drain until nothing was left to answer, by service. */
  drain: Record<string, Measure>;
  /** From its tombstone until it was gone, by image. */
  destroy: Record<string, Measure>;
}

/** `ended`: machines that are no more, as far as they are kept. */
export function measuresOf(machines: readonly MachineRecord[], ended: readonly EndedRecord[]): Measures {
  const found = {
    build: new Samples(),
    start: new Samples(),
    warm: new Samples(),
    drain: new Samples(),
    destroy: new Samples(),
  };
  for (const machine of machines) take(found, machine, null);
  for (const { machine, at } of ended) take(found, machine, at);
  const { build, start, warm, drain, destroy } = found;
  return {
    build: build.medians(),
    start: start.medians(),
    warm: warm.medians(),
    drain: drain.medians(),
    destroy: destroy.medians(),
  };
}

function take(found: Record<keyof Measures, Samples>, machine: MachineRecord, goneAt: number | null): void {
  const { times = {}, claim, image } = machine;
  found.build.add([machineKind(machine)], times.building, times.ready);
  if (claim) {
    const names = [`${claim.service}@${claim.version}`, claim.service];
    found[claim.warm ? 'warm' : 'start'].add(names, times.claimed, times.served);
    found.drain.add([claim.service], times.draining, times.deleting);
  }
  found.destroy.add([image], times.deleting, goneAt ?? undefined);
}

class Samples {
  readonly #took = new Map<string, number[]>();

  /** Nothing where one of the two is not known, or a clock went back between them. */
  add(names: readonly string[], from: number | undefined, to: number | undefined): void {
    if (from === undefined || to === undefined || to < from) return;
    for (const name of names) this.#took.set(name, [...(this.#took.get(name) ?? []), to - from]);
  }

  medians(): Record<string, Measure> {
    return Object.fromEntries(
      [...this.#took].map(([name, took]) => [name, { ms: median(took) ?? 0, of: took.length }]),
    );
  }
}
