/** The plan is a value: it can be printed (`mcp plan`), checked by an independent checker, simulated, executed. */
import type { BudgetRecord } from '../../registrar/records.ts';
import type { RolloutEntry, RolloutRecord } from '../../registrar/rollout-records.ts';
import type { WaitingRecord } from '../../registrar/status-records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';
import type { Flavor, Service } from '../../specs/nouns.ts';

export type Action =
  /** Ledger entry first, then the provider's create. */
  | {
      kind: 'create';
      uuid: string;
      operation: string;
      image: string;
      flavor?: Flavor;
      /** Service template to clone it from. */
      template?: string;
      /** A claim waits for it: the provider is asked for it before what only fills the pool. */
      urgent?: true;
      reason: string;
    }
  /** The provider told what we asked for: note providerId and address. */
  | { kind: 'note'; uuid: string; providerId: string; address?: string; reason: string }
  /** First seen serving: the ledger remembers, so that a successor can tell a lost instance from one that never started. */
  | { kind: 'confirm'; uuid: string; reason: string }
  /** building -> verifying -> ready, as the machine's agent joins and proves itself. */
  | { kind: 'advance'; uuid: string; to: 'verifying' | 'ready'; reason: string }
  /** One multi: check epoch and suspension, ledger ready -> claimed, create the assignment. */
  | {
      kind: 'claim';
      uuid: string;
      service: string;
      version: string;
      /** It runs just that already. */
      warm?: true;
      operation: string;
      reason: string;
    }
  /** Assignment's want becomes drain; ledger claimed -> draining. */
  | { kind: 'drain'; uuid: string; service: string; version: string; operation: string; reason: string }
  /** Tombstone: ledger -> deleting, assignment's want becomes stop, budget consumed (`spent` is written), in one multi. */
  | { kind: 'retire'; uuid: string; budget: string; spent: BudgetRecord; operation: string; reason: string }
  /** The provider's destroy, of a machine with a tombstone. */
  | { kind: 'destroy'; uuid: string; providerId: string; reason: string }
  /**
   * The provider says it runs no more but still lists it: one multi removes its registration, so that gateways drop it at
   * once, takes its assignment and writes the tombstone; a destroy follows. Nothing alive is destroyed: no budget.
   */
  | { kind: 'condemn'; uuid: string; operation: string; reason: string }
  /** The provider lists a machine of ours that the ledger does not know: it enters the ledger with a tombstone (P1, P7). */
  | {
      kind: 'adopt';
      uuid: string;
      providerId: string;
      operation: string;
      image: string;
      budget: string;
      spent: BudgetRecord;
      reason: string;
    }
  /**
   * The provider lists a machine of ours that the ledger lost: it enters the ledger again. `runs`: as an instance of what it is
   * registered for, with an assignment that says so; null: as one that must prove itself.
   */
  | {
      kind: 'readmit';
      uuid: string;
      providerId: string;
      operation: string;
      image: string;
      address: string;
      /** As the provider says, ms since the Unix epoch. */
      createdAt: number;
      runs: { service: string; version: string; digest: string; port: number } | null;
      reason: string;
    }
  /** The provider says it is gone: remove its registration, assignment and ledger entry. */
  | { kind: 'bury'; uuid: string; reason: string }
  /** /config/<service> follows the declared configuration. */
  | { kind: 'configure'; service: string; reason: string }
  /**
   * One step of a rollout: /rollouts/<service>, and with `redeclare` also what the service declares, in one multi that checks
   * both as observed. `said`: what people are told of it; null for a change of numbers only.
   */
  | {
      kind: 'roll';
      service: string;
      version: string;
      operation: string;
      record: RolloutRecord;
      redeclare: Service | null;
      said: RolloutEntry | null;
      reason: string;
    };

/** Why something is not done: the cause for programs, the words for people. */
export interface Because {
  cause: WaitCause;
  why: string;
}

/** A thing not done, and why. */
export type Waiting = WaitingRecord & Because;

export interface Alarm {
  code: string;
  message: string;
}

export interface Plan {
  /** The generation planned for; null where nothing is declared. */
  generation: number | null;
  epoch: number;
  asOf: number;
  actions: Action[];
  waiting: Waiting[];
  alarms: Alarm[];
  /** ms until time alone makes another plan of this; absent: as far as is known it never does. */
  dueMs?: number;
}
