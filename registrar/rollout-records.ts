/** What /rollouts/<service> holds. Times are ms since the Unix epoch. */
import type { RolloutSettings, Version } from '../specs/nouns.ts';

/**
 * With others of one apply before it, first `waiting`. `checking` -> `canary` -> `rolling` -> `baking` -> `done`; from each of these but the last also `reverting` -> `reverted`.
 * `superseded`: something else was declared meanwhile, and that counts.
 */
export type RolloutPhase =
  | 'waiting'
  | 'checking'
  | 'canary'
  | 'rolling'
  | 'baking'
  | 'done'
  | 'reverting'
  | 'reverted'
  | 'superseded';

/** Why a rollout stands still though nothing keeps it from going on. */
export interface RolloutHold {
  /** `operator`: until `mcp rollouts resume`. The others: until `mcp promote`, or for `forMs`. */
  kind: 'operator' | 'pause' | 'inconclusive' | 'failed';
  by: string;
  why: string;
  at: number;
  forMs: number | null;
}

/** What a version's requests were like since its gateway began to count. */
export interface VersionFigures {
  version: string;
  requests: number;
  /** Answers of 500 and more, and none at all. */
  errors: number;
  /** Requests by time taken: `counts[i]` took at most `bounds[i]` ms and more than the bound before; one more for the rest. */
  latency: { bounds: number[]; counts: number[] };
}

/** One way in which the new version's document differs from the live one's. */
export interface GateFinding {
  /** Breaking: a caller that keeps to the live document can fail; risky: it may; safe: it can't. */
  severity: 'breaking' | 'risky' | 'safe';
  words: string;
  /** Operations that meet it, such as `GET /zones/{id}`; the first few. */
  operations: string[];
}

/** What the document of the first new instance does to callers. */
export interface RolloutGate {
  at: number;
  /** `skipped`: there was nothing to compare with. */
  verdict: 'breaking' | 'risky' | 'safe' | 'skipped';
  /** All of it in one line. */
  words: string;
  /** The worst first. */
  findings: GateFinding[];
  /** Findings that are not listed. */
  leftOut: number;
  /** Operations that are gone, as instances see them: gateways count whether they are still called. Absent: none. */
  watched?: string[];
}

/** One step that a rollout took, for people. */
export interface RolloutEntry {
  at: number;
  by: string;
  phase: RolloutPhase;
  why: string;
}

/** One rollout of a service. */
export interface RolloutName {
  service: string;
  operation: string;
}

/** Its place among the rollouts that one apply began. */
export interface RolloutOrder {
  /** It begins when all of these are done. */
  after: RolloutName[];
  /** All others of the same apply: where one of these fails, what has not begun does not begin. */
  others: RolloutName[];
}

/** A rollout that is over, for undo. */
export interface PastRollout {
  operation: string;
  by: string;
  reason: string;
  at: number;
  endedAt: number;
  outcome: RolloutPhase;
  from: Version[];
  to: Version[];
}

/** /rollouts/<service>: the last change of version, as a state machine that whoever leads takes further. */
export interface RolloutRecord {
  service: string;
  /** Id of this rollout. */
  operation: string;
  kind: 'upgrade' | 'undo';
  by: string;
  reason: string;
  at: number;
  /** What ran when it began, and what shall run, each with the counts and weights it had or shall have. */
  from: Version[];
  to: Version[];
  settings: RolloutSettings;
  /** Absent: it was begun alone. */
  order?: RolloutOrder;
  phase: RolloutPhase;
  /** When the phase was entered. */
  since: number;
  /** Why it is in this phase, or what it waits for. */
  why: string;
  hold: RolloutHold | null;
  /** Instances wanted in all when `base` and `goal` were set; another count declared since is shared out in proportion. */
  total: number;
  /** New instances that count already: so many of the old ones are not needed any more. */
  base: number;
  /** New instances that this stage is after. */
  goal: number;
  /** Most new instances of this stage that counted at a time: what the progress deadline looks at. */
  reached: number;
  /** ms of this stage that leaders before have waited; the present one adds its own. */
  waitedMs: number;
  /** Old instances kept at weight 0 for undo. */
  keep: number;
  /** Pauses already made, by their place in `settings.pauses`. */
  paused: number[];
  /** Machines whose new instance failed. */
  failed: string[];
  /** How many instances it has given up so far (P2): the budget does not slow these down. */
  givenUp: number;
  /** The gateways' figures when the stage began; null: none were to be had. */
  baseline: VersionFigures[] | null;
  /** What the comparison of the documents found; null: nothing was compared (yet). */
  gate: RolloutGate | null;
  /**
   * Instances and share of traffic wanted of each version right now: these count and not what /desired says. Empty: what is
   * declared counts.
   */
  wanted: { version: string; count: number; weight: number }[];
  /** What speaks for the last decision: agents' words, failing checks, figures. */
  evidence: string[];
  log: RolloutEntry[];
  past: PastRollout[];
}
