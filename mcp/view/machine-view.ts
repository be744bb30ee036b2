/** `mcp machines` as values: every machine with its story, those that are no more too. Pure. */
import type {
  EndedRecord,
  MachineRecord,
  MachineState,
  OperatorWord,
  VerificationRecord,
} from '../../registrar/records.ts';
import { flavorText } from '../../specs/flavor.ts';
import type { ObservedMachine } from '../plan/snapshot.ts';
import type { RegistryPart } from './status-view.ts';

/** A step of a machine's life: when it began, and how long it took, ms; null while it lasts. */
export interface StoryStep {
  step: 'built' | 'verified' | 'waited' | 'started' | 'served' | 'drained' | 'destroyed';
  at: number;
  tookMs: number | null;
}

export interface MachineView {
  machine: string;
  state: MachineState | 'ended';
  /** When the state was entered, ms since the Unix epoch. */
  since: number;
  createdAt: number;
  address: string;
  provider: string;
  providerId: string | null;
  image: string;
  /** Its size, in words; empty where the provider decided. */
  flavor: string;
  service: string | null;
  version: string | null;
  /** What it runs was started in the service template that it was cloned from, not here. */
  warm: boolean;
  /** Service template that it was asked to be cloned from; null: none. */
  template: string | null;
  /** Phase of its agent; empty where no agent is there. */
  agent: string;
  /** Why it is in this state, or what its agent complains of; of one that ended: why. */
  reason: string;
  story: StoryStep[];
  /** Its self-test as it was judged; null where it was not yet. */
  verification: VerificationRecord | null;
  /** Who protects its instance, and why; null where nobody does. */
  protected: OperatorWord | null;
  /** Who told it to go, and why; null where nobody did. */
  toLeave: OperatorWord | null;
}

/** Every machine of the ledger, those that serve first, then by age. */
export function machineViews(registry: RegistryPart): MachineView[] {
  const rank = { claimed: 0, draining: 1, ready: 2, verifying: 3, building: 4, deleting: 5, ended: 6 } as const;
  const leftOut = leftOutMachines(registry);
  return registry.machines
    .map((machine) => machineView(machine, leftOut.get(machine.record.uuid)))
    .sort((a, b) => rank[a.state] - rank[b.state] || a.createdAt - b.createdAt || (a.machine < b.machine ? -1 : 1));
}

/** One that is no more. */
export function endedView({ machine, at, reason }: EndedRecord): MachineView {
  return { ...viewOf(machine, at), state: 'ended', since: at, agent: '', reason };
}

/** Machines whose registration the controller or a gateway leaves out, each with the reason. */
function leftOutMachines({ rejected, gateways }: RegistryPart): Map<string, string> {
  const all = [
    ...gateways.flatMap(({ id, rejected: own }) =>
      own.map(({ path, reason }) => ({ path, reason: `${id}: ${reason}` })),
    ),
    ...rejected,
  ];
  return new Map(
    all.flatMap(({ path, reason }): [string, string][] => {
      const machine = /^\/services\/[^/]+\/[^/]+\/([^/]+)$/.exec(path)?.[1];
      return machine === undefined ? [] : [[machine, `left out: ${reason}`]];
    }),
  );
}

function machineView({ record, agent }: ObservedMachine, leftOut: string | undefined): MachineView {
  const own = steady(record.state) ? (agent?.reason ?? '') : (record.reason ?? '');
  return { ...viewOf(record, null), agent: agent?.phase ?? '', reason: record.tombstone?.reason ?? leftOut ?? own };
}

function viewOf(record: MachineRecord, endedAt: number | null): Omit<MachineView, 'agent' | 'reason'> {
  return {
    machine: record.uuid,
    state: record.state,
    since: record.changedAt,
    createdAt: record.createdAt,
    address: record.address ?? '',
    provider: record.provider,
    providerId: record.providerId ?? null,
    image: record.image,
    flavor: flavorText(record.flavor),
    service: record.claim?.service ?? null,
    version: record.claim?.version ?? null,
    warm: record.claim?.warm ?? false,
    template: record.template ?? null,
    story: storyOf(record, endedAt),
    verification: record.verification ?? null,
    protected: record.protected ?? null,
    toLeave: record.toLeave ?? null,
  };
}

/** The states and what one does in them, in the order of a life; a machine may skip some. */
const steps = [
  ['building', 'built'],
  ['verifying', 'verified'],
  ['ready', 'waited'],
  ['claimed', 'started'],
  ['served', 'served'],
  ['draining', 'drained'],
  ['deleting', 'destroyed'],
] as const;

/** Pure. `endedAt`: when it was gone, null where it is not. */
function storyOf({ times, createdAt }: MachineRecord, endedAt: number | null): StoryStep[] {
  const known: NonNullable<MachineRecord['times']> = times ?? { building: createdAt };
  const begun = steps.flatMap(([state, step]) => {
    const at = known[state];
    return at === undefined ? [] : [{ step, at }];
  });
  return begun.map(({ step, at }, index) => {
    const next = begun[index + 1]?.at ?? endedAt;
    return { step, at, tookMs: next === null ? null : Math.max(0, next - at) };
  });
}

/** `protected by operator:ann: under examination`; empty where nobody said a thing. */
export function operatorWords(machine: Partial<Pick<MachineView, 'protected' | 'toLeave'>>): string {
  const said = (what: string, word?: OperatorWord | null) =>
    word ? [`${what} by ${word.by}${word.reason && `: ${word.reason}`}`] : [];
  return [...said('protected', machine.protected), ...said('told to go', machine.toLeave)].join('; ');
}

/** A machine that stays as it is needs no reason for it; what its agent complains of is worth more then. */
function steady(state: MachineState): boolean {
  return state === 'ready' || state === 'claimed';
}
