import { defaultDeadlines, type ReadinessDeadlines } from '../../vm-factory/pool/next-machine-state.ts';
import { defaultPoolPolicy, type PoolPolicy } from '../../vm-factory/pool/pool-policy.ts';
import { defaultSlowStartPolicy, type SlowStartPolicy } from '../../vm-factory/pool/slow-start.ts';

/** The numbers behind the promises P2, P3, P6, P7 and P14. Durations in ms of a clock that never jumps. */
export interface Policy {
  /** P14: nothing destructive this long into a term. */
  quietWindowMs: number;
  /** P14: and not before registrations and gateways have stood still this long (at most four quiet windows in all). */
  stableViewMs: number;
  /** A claimed machine that serves nothing for this long is replaced and retired. */
  startDeadlineMs: number;
  /** An instance that was lost without the provider saying so may come back for this long before it is replaced. */
  lossGraceMs: number;
  /** Starts of one version digest that may fail in a row before no more are tried (fault 40). */
  breakerFailures: number;
  /** Then one start is tried each time this has passed. */
  breakerCooldownMs: number;
  /** P2: share of a service that may be destroyed in each window (never less than one instance). */
  budgetShare: number;
  budgetWindowMs: number;
  /** Pool machines serve nothing: this many, or the share of the pool if that is more. */
  poolBudget: number;
  /** P3: live below this share of the level is a mass failure. */
  massShare: number;
  /** P3: how far back the level looks. */
  levelWindowMs: number;
  /** P6: after this long a write of ours that is still not visible no longer stops planning. */
  unseenWriteMs: number;
  /** P7: a machine of ours that no ledger entry knows is taken for an orphan after this long. */
  orphanMs: number;
  /** Machines that the ledger lost may register again for this long before others take their place. */
  lostMs: number;
  /** A machine whose creation the provider never lists was never made: its ledger entry goes after this long. */
  unlistedMs: number;
  /** The same where whoever wrote it down leads no more: nobody asks for it any more, and what lands late is an orphan (P7). */
  forsakenMs: number;
  /** A destroy that had no effect is asked again after this long (fault 35). */
  destroyAgainMs: number;
  /** Beyond a service's own stop timeout, the agent's time to say that it stopped. */
  stopGraceMs: number;
  /** P6: after this long without a creation they start at 1 again. */
  createIdleMs: number;
  slowStart: SlowStartPolicy;
  pool: PoolPolicy;
  readiness: ReadinessDeadlines;
}

export const defaultPolicy: Policy = {
  quietWindowMs: 15_000,
  stableViewMs: 3_000,
  startDeadlineMs: 120_000,
  lossGraceMs: 10_000,
  breakerFailures: 3,
  breakerCooldownMs: 300_000,
  budgetShare: 0.1,
  budgetWindowMs: 60_000,
  poolBudget: 10,
  massShare: 0.85,
  levelWindowMs: 900_000,
  unseenWriteMs: 300_000,
  orphanMs: 300_000,
  lostMs: 60_000,
  unlistedMs: 60_000,
  forsakenMs: 5_000,
  destroyAgainMs: 10_000,
  stopGraceMs: 5_000,
  createIdleMs: 60_000,
  slowStart: defaultSlowStartPolicy,
  pool: defaultPoolPolicy,
  readiness: defaultDeadlines,
};
