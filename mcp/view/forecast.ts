/** A rehearsed declaration as people and programs read it: what happens to each version, the machines it takes, and how long. Pure. */
import type { Measures } from '../plan/measures.ts';
import type { Rehearsal, RehearsalStep, Tally } from '../plan/rehearse.ts';
import type { Preview } from './preview.ts';

export interface ForecastRow extends Tally {
  service: string;
  version: string;
  desired: number;
  /** Instances that stay as they are. */
  keep: number;
  /** New instances: those whose machine is claimed from the pool, and those whose machine is built first. */
  create: number;
  /** Old instances that stay at weight 0 for undo when it is over. */
  undo: number;
  /** Why; empty where nothing happens. */
  reason: string;
}

export interface Forecast {
  rows: ForecastRow[];
  machines: {
    now: number;
    /** At one time, at most, with surge, pool, and what is kept or on its way out. */
    peak: Rehearsal['peak'];
    /** Made in all: for cold builds, and to fill the pool again. */
    created: number;
    /** Machines of the pool that are given up. */
    destroyedOfPool: number;
    poolHits: number;
    coldBuilds: number;
  };
  /** How long until all is as declared; null: not known, and `unmeasured` says what was never measured, or `stuck` what stops it. */
  seconds: number | null;
  unmeasured: string[];
  /** What the time was reckoned with. */
  measured: { what: string; seconds: number; of: number }[];
  /** In this order; `at`: s since it began. */
  order: (Omit<RehearsalStep, 'at'> & { at: number })[];
}

/** `now`: machines that there are. */
export function forecastOf(preview: Preview, rehearsal: Rehearsal, measures: Measures, now: number): Forecast {
  const { tallies, steps, peak, created, tookMs, unmeasured, keptForUndo } = rehearsal;
  const rows = preview.rows.map((row): ForecastRow => {
    const { service, version, desired, keep, reason } = row;
    const name = `${service}@${version}`;
    const tally = tallies[name] ?? { claim: 0, build: 0, drain: 0, destroy: 0 };
    const undo = keptForUndo[name] ?? 0;
    const why =
      undo > 0 ? 'kept at weight 0 for undo' : reason || (tally.drain > 0 ? 'another machine takes its place' : '');
    const own = { service, version, desired, keep: Math.max(0, keep - (desired > 0 ? tally.drain - row.stop : 0)) };
    return { ...own, create: tally.claim + tally.build, ...tally, undo, reason: why };
  });
  const sum = (key: 'claim' | 'build') => rows.reduce((all, row) => all + row[key], 0);
  return {
    rows,
    machines: {
      now,
      peak,
      created,
      destroyedOfPool: tallies.pool?.destroy ?? 0,
      poolHits: sum('claim'),
      coldBuilds: sum('build'),
    },
    seconds: tookMs === null ? null : inSeconds(tookMs),
    unmeasured,
    measured: measuredFor(rows, measures),
    order: steps.map((step) => ({ ...step, at: inSeconds(step.at) })),
  };
}

function inSeconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

/** The measures that speak of what happens. */
function measuredFor(rows: readonly ForecastRow[], measures: Measures): Forecast['measured'] {
  const told: Forecast['measured'] = [];
  const tell = (what: string, known: Record<string, { ms: number; of: number }>, names: readonly string[]) => {
    const name = names.find((one) => known[one] !== undefined);
    const found = name === undefined ? undefined : known[name];
    const words = `${what} ${name}`;
    if (found && !told.some((one) => one.what === words))
      told.push({ what: words, seconds: inSeconds(found.ms), of: found.of });
  };
  for (const { service, version, create, drain, build } of rows) {
    if (build > 0) for (const image of Object.keys(measures.build)) tell('build', measures.build, [image]);
    if (create > 0) tell('start of', measures.start, [`${service}@${version}`, service]);
    if (drain > 0) tell('drain of', measures.drain, [service]);
  }
  return told;
}
