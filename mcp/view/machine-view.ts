/** `mcp machines` and `mcp pool` as values. Pure. */
import type { MachineState } from '../../registrar/records.ts';
import { flavorText } from '../../specs/flavor.ts';
import type { Waiting } from '../plan/plan.ts';
import type { ObservedMachine } from '../plan/snapshot.ts';
import type { RegistryPart } from './status-view.ts';

export interface MachineView {
  machine: string;
  state: MachineState;
  /** When the state was entered, ms since the Unix epoch. */
  since: number;
  createdAt: number;
  address: string;
  provider: string;
  image: string;
  /** Its size, in words; empty where the provider decided. */
  flavor: string;
  service: string | null;
  version: string | null;
  /** Phase of its agent; empty where no agent is there. */
  agent: string;
  /** Why it is in this state, or what its agent complains of. */
  reason: string;
}

export interface PoolView {
  image: string | null;
  target: number;
  ready: number;
  building: number;
  verifying: number;
  machines: MachineView[];
  waiting: Waiting[];
}

/** Every machine of the ledger, those that serve first, then by age. */
export function machineViews(registry: RegistryPart): MachineView[] {
  const rank = { claimed: 0, draining: 1, ready: 2, verifying: 3, building: 4, deleting: 5 } as const;
  return registry.machines
    .map(machineView)
    .sort((a, b) => rank[a.state] - rank[b.state] || a.createdAt - b.createdAt || (a.machine < b.machine ? -1 : 1));
}

/** The pool: machines that are, or are about to be, ready for any service. */
export function poolView(registry: RegistryPart, waiting: Waiting[]): PoolView {
  const machines = machineViews(registry).filter(
    ({ state }) => state === 'ready' || state === 'building' || state === 'verifying',
  );
  const count = (state: MachineState) => machines.filter((machine) => machine.state === state).length;
  const pool = registry.desired?.record.environment.pool;
  return {
    image: pool?.image ?? null,
    target: pool?.size ?? 0,
    ready: count('ready'),
    building: count('building'),
    verifying: count('verifying'),
    machines,
    waiting: waiting.filter(({ what }) => what === 'pool'),
  };
}

function machineView({ record, agent }: ObservedMachine): MachineView {
  return {
    machine: record.uuid,
    state: record.state,
    since: record.changedAt,
    createdAt: record.createdAt,
    address: record.address ?? '',
    provider: record.provider,
    image: record.image,
    flavor: flavorText(record.flavor),
    service: record.claim?.service ?? null,
    version: record.claim?.version ?? null,
    agent: agent?.phase ?? '',
    reason: record.tombstone?.reason ?? (steady(record.state) ? (agent?.reason ?? '') : (record.reason ?? '')),
  };
}

/** A machine that stays as it is needs no reason for it; what its agent complains of is worth more then. */
function steady(state: MachineState): boolean {
  return state === 'ready' || state === 'claimed';
}
