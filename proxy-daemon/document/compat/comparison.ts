import { sameMeaning } from '../compare-operations.ts';
import type { JsonObject } from '../json.ts';
import type { Demand } from './compare-objects.ts';
import { compareStep } from './compare-schemas.ts';
import type { Direction } from './compare-values.ts';
import { finding, type LocalFinding } from './finding.ts';
import { type View, viewOf } from './schema-view.ts';

/** One pair of schemas and what came of it. */
interface Pair {
  demand: Demand;
  direction: Direction;
  sub: View;
  sup: View;
  state: 'new' | 'open' | 'done';
  findings: LocalFinding[];
  children: Pair[];
  /** What a bounded look from here said; only where nothing was assumed for it. */
  verdict?: 'yes' | 'no';
}

export interface Bounds {
  /** Most pairs of schemas that are compared; the rest is named as not compared. */
  pairs: number;
  /** Most pairs looked at to find out whether an alternative fits. */
  trial: number;
  /** Most pairs looked at for all such trials together. */
  trials: number;
}

export const defaultBounds: Bounds = { pairs: 200_000, trial: 300, trials: 500_000 };

/** Trials within trials. */
const deepestTrial = 6;

/**
 * All pairs of schemas that have to be compared, each once, whoever asks for it: what is found in a shared schema is found once
 * and told with all operations that reach it. A pair that is being looked at counts as fitting, which is what makes recursive
 * schemas comparable (Amadio and Cardelli, "Subtyping recursive types", 1993). Pure.
 */
export class Comparison {
  readonly #pairs = new Map<string, Pair>();
  readonly #queue: Pair[] = [];
  readonly #bounds: Bounds;
  readonly #same: (live: JsonObject, next: JsonObject) => boolean;
  readonly #roots = new Map<number, Pair[]>();
  #trials = 0;
  #depth = 0;

  constructor(live: JsonObject, next: JsonObject, bounds: Bounds = defaultBounds) {
    this.#bounds = bounds;
    this.#same = (a, b) => {
      try {
        return sameMeaning(live, next, a, b, 'schema');
      } catch (error) {
        // It goes down through references; where they lead deeper than the stack, it can't be told.
        if (error instanceof RangeError) return false;
        throw error;
      }
    };
  }

  /** Asks that the first conjunction fits into the second, for the operation of this number. */
  demand(root: number, demand: Demand, direction: Direction): void {
    const pair = this.#pairOf(demand, direction);
    this.#roots.set(root, [...(this.#roots.get(root) ?? []), pair]);
  }

  /** Compares all that was asked for, and tells what was found with the numbers of the operations that reach it. */
  findings(): { finding: LocalFinding; roots: number[] }[] {
    // The queue grows while it is gone through.
    for (const pair of this.#queue) if (pair.state === 'new') this.#build(pair);
    const found = new Map<string, { finding: LocalFinding; roots: number[] }>();
    const leading = this.#leadingToFindings();
    for (const [root, pairs] of this.#roots) {
      for (const pair of reachable(pairs, leading)) {
        for (const local of pair.findings) {
          const key = [local.kind, local.live, local.next, local.words].join('\n');
          const known = found.get(key) ?? { finding: local, roots: [] };
          if (known.roots.at(-1) !== root) known.roots.push(root);
          found.set(key, known);
        }
      }
    }
    const all = [...found.values()];
    if (this.#pairs.size >= this.#bounds.pairs) all.push({ finding: this.#incomplete(), roots: [] });
    return all;
  }

  #incomplete(): LocalFinding {
    return finding(
      'incomplete',
      `the documents lead to more than ${this.#bounds.pairs} pairs of schemas: not all were compared`,
      {},
    );
  }

  #pairOf(demand: Demand, direction: Direction): Pair {
    const [sub, sup] = [viewOf(demand[0]), viewOf(demand[1])];
    const key = `${direction} ${sub.key} ${sup.key}`;
    const known = this.#pairs.get(key);
    if (known) return known;
    // Over the bound nothing new is compared; what is left out is told once.
    const full = this.#pairs.size >= this.#bounds.pairs;
    const pair: Pair = { demand, direction, sub, sup, state: full ? 'done' : 'new', findings: [], children: [] };
    if (full) return pair;
    this.#pairs.set(key, pair);
    this.#queue.push(pair);
    return pair;
  }

  #build(pair: Pair): void {
    pair.state = 'open';
    const compared = compareStep(pair, {
      fits: (demand, direction) => this.#fits(this.#pairOf(demand, direction)),
      sameMeaning: this.#same,
    });
    pair.findings = compared.findings;
    pair.children = compared.children.map((child) => this.#pairOf(child, pair.direction));
    pair.state = 'done';
  }

  /** Looks from a pair on until something doesn't fit, everything does, or the bound is reached. */
  #fits(start: Pair): 'yes' | 'no' | 'unknown' {
    if (start.verdict) return start.verdict;
    if (this.#depth >= deepestTrial) return 'unknown';
    this.#depth++;
    try {
      const seen = new Set<Pair>([start]);
      let sure = true;
      let doubt = false;
      for (const pair of seen) {
        if (seen.size > this.#bounds.trial || ++this.#trials > this.#bounds.trials) return 'unknown';
        if (pair.state === 'open') {
          sure = false;
          continue;
        }
        if (pair.state === 'new') this.#build(pair);
        if (pair.verdict === 'no' || pair.findings.some(leavesTheSet)) {
          start.verdict = 'no';
          return 'no';
        }
        doubt ||= pair.findings.some(({ severity }) => severity === 'risky');
        if (pair.verdict !== 'yes') for (const child of pair.children) seen.add(child);
      }
      if (doubt) return 'unknown';
      if (sure) for (const pair of seen) pair.verdict = 'yes';
      return 'yes';
    } finally {
      this.#depth--;
    }
  }

  #leadingToFindings(): Set<Pair> {
    const parents = new Map<Pair, Pair[]>();
    const leading = new Set<Pair>();
    for (const pair of this.#pairs.values()) {
      if (pair.findings.length > 0) leading.add(pair);
      for (const child of pair.children) {
        const known = parents.get(child);
        if (known) known.push(pair);
        else parents.set(child, [pair]);
      }
    }
    for (const pair of leading) for (const parent of parents.get(pair) ?? []) leading.add(parent);
    return leading;
  }
}

/** Values that are new are no reason to stop a rollout, but they are outside all the same. */
function leavesTheSet({ kind, severity }: LocalFinding): boolean {
  return severity === 'breaking' || kind === 'response-enum-value-added' || kind === 'response-enum-removed';
}

function reachable(pairs: readonly Pair[], among: ReadonlySet<Pair>): Set<Pair> {
  const seen = new Set(pairs.filter((pair) => among.has(pair)));
  for (const pair of seen) for (const child of pair.children) if (among.has(child)) seen.add(child);
  return seen;
}
