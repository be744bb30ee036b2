/** Everything that the registry holds about the observed world, as one value: complete, or it does not exist. Plain JSON. */
import type { Versioned } from '../recipes/versioned-document.ts';
import type {
  AgentRecord,
  AssignmentRecord,
  BudgetRecord,
  ConfigRecord,
  DesiredRecord,
  GatewayRecord,
  MachineRecord,
  PoolRecord,
  RegistrationRecord,
  SuspendedRecord,
} from '../records.ts';
import type { RolloutRecord } from '../rollout-records.ts';

export interface ObservedMachine extends Versioned<MachineRecord> {
  assignment: Versioned<AssignmentRecord> | null;
  agent: AgentRecord | null;
}

export interface ObservedRegistration {
  record: RegistrationRecord;
  /** zxid of its last change: what gateways must have seen. */
  mzxid: number;
}

export interface RegistryView {
  /** zxid: everything committed up to it is in here (P6: not older than our own last write). */
  asOf: number;
  clusterId: string;
  /** znode version of /epoch. */
  epoch: number;
  /** What is wanted right now: what is declared, with the counts and weights of the rollouts under way. */
  desired: Versioned<DesiredRecord> | null;
  /** /desired as it is. */
  declared: Versioned<DesiredRecord> | null;
  /** By service; those that are over too. */
  rollouts: Record<string, Versioned<RolloutRecord>>;
  suspended: Versioned<SuspendedRecord>;
  machines: ObservedMachine[];
  /** Valid ones only. */
  registrations: ObservedRegistration[];
  /** Left out, each with its reason. */
  rejected: { path: string; reason: string }[];
  /** One that registered and can't be understood has served and drained nothing, as far as anyone knows. */
  gateways: GatewayRecord[];
  /** Null: what is there is damaged. */
  configs: Record<string, Versioned<ConfigRecord | null>>;
  budgets: Record<string, Versioned<BudgetRecord>>;
  /** Null where no controller had anything to remember yet; its record is null where what is there is damaged. */
  pool: Versioned<PoolRecord | null> | null;
}
