/** The observed world as one value: complete, or it does not exist (a failed read is never an empty world). Plain JSON. */
import type {
  AgentRecord,
  AssignmentRecord,
  BudgetRecord,
  ConfigRecord,
  DesiredRecord,
  GatewayRecord,
  MachineRecord,
  RegistrationRecord,
  SuspendedRecord,
} from '../../registrar/records.ts';
import type { ProviderMachine } from '../../vm-factory/provider.ts';

/** A record with the znode version that a guarded write must check. */
export interface Versioned<T> {
  record: T;
  version: number;
}

export interface ObservedMachine extends Versioned<MachineRecord> {
  assignment: Versioned<AssignmentRecord> | null;
  agent: AgentRecord | null;
}

export interface ObservedRegistration {
  record: RegistrationRecord;
  /** zxid of its last change: what gateways must have seen. */
  mzxid: number;
}

export interface Snapshot {
  /** zxid: everything committed up to it is in here (P6: not older than our own last write). */
  asOf: number;
  /** ms since the Unix epoch, the observer's clock. */
  at: number;
  clusterId: string;
  /** znode version of /epoch. */
  epoch: number;
  desired: Versioned<DesiredRecord> | null;
  suspended: Versioned<SuspendedRecord>;
  machines: ObservedMachine[];
  /** Valid ones only. */
  registrations: ObservedRegistration[];
  /** Left out, each with its reason. */
  rejected: { path: string; reason: string }[];
  gateways: GatewayRecord[];
  configs: Record<string, Versioned<ConfigRecord>>;
  budgets: Record<string, Versioned<BudgetRecord>>;
  /** Complete list of the provider. */
  provider: ProviderMachine[];
  limits: { machines: { limit: number; used: number } } | null;
}
