/** What an execution acts with, and what it tells as it happens. */
import type { RegistryAccess } from '../../registrar/access.ts';
import type { Clock } from '../../registrar/clock.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import type { CreationResult } from '../plan/remember.ts';
import type { SlowCalls } from './slow-calls.ts';

/** Called at named points of the execution; a test throws or kills there. */
export type Failpoint = (name: string) => void | Promise<void>;

/** What the execution tells the leader's memory, as it happens. */
interface ExecutionListener {
  wrote(zxid: number): void;
  created(result: CreationResult): void;
  destroyAsked(uuid: string): void;
}

export interface ExecuteInput {
  client: RegistryClient;
  provider: MachineProvider;
  clock: Clock;
  epoch: number;
  clusterId: string;
  /** `controller:<id>`, for the event log. */
  actor: string;
  /** ZooKeeper connect string with chroot, for the agents of new machines. */
  registry: string;
  /** Absent where everybody may do everything. */
  access?: RegistryAccess;
  slowCalls: SlowCalls;
  listener: ExecutionListener;
  /** The term's. */
  signal: AbortSignal;
  failpoint?: Failpoint;
}
