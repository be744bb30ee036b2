/** `mcp pool` as a value. Pure. */
import type { EndedRecord, FailureCount, TemplateRecord } from '../../registrar/records.ts';
import type { WaitingRecord } from '../../registrar/status-records.ts';
import { median } from '../../specs/median.ts';
import type { Alarm } from '../plan/plan.ts';
import { knownPoolSize } from '../plan/pool-record.ts';
import { endedView, type MachineView, machineViews, type StoryStep } from './machine-view.ts';
import type { RegistryPart } from './status-view.ts';

export interface PoolView {
  image: string | null;
  /** Ready machines wanted, and why so many. */
  target: number;
  why: string;
  ready: number;
  building: number;
  verifying: number;
  /** Of the provider's, waiting to be made ready; null where it keeps none. */
  paused: number | null;
  /** Service templates that shall be there, each with how many machines are ready in which its service waits. */
  templates: (TemplateRecord & { machines: number })[];
  /** Machines of any image that failed before they were ready, as far as it is remembered. */
  failed: number;
  /** Machines that are, or are about to be, ready for any service. */
  machines: MachineView[];
  /** The newest of `failed`, newest first. */
  failures: MachineView[];
  /** Images whose last machines failed. `open`: no refill until one is tried again. */
  breakers: ({ image: string; open: boolean } & FailureCount)[];
  /** Medians of machines that came that far, ms; null where there is none. */
  medianMs: { built: number | null; verified: number | null; waited: number | null };
  waiting: WaitingRecord[];
  alarms: Alarm[];
}

/** Failures shown. */
const shown = 5;

/** What the pool is and what it waits for; `ended`: machines that are no more, newest first. */
export function poolView(
  registry: RegistryPart,
  words: { waiting: WaitingRecord[]; alarms: Alarm[] },
  ended: readonly EndedRecord[],
): PoolView {
  const all = machineViews(registry);
  const machines = all.filter(({ state }) => state === 'ready' || state === 'building' || state === 'verifying');
  const plain = machines.filter(({ template }) => template === null);
  const count = (state: string) => plain.filter((machine) => machine.state === state).length;
  const pool = registry.desired?.record.environment.pool;
  const record = registry.pool?.record ?? null;
  const alarms = words.alarms.filter(({ code }) => code.startsWith('POOL_'));
  const leaving = all.filter(({ state }) => state === 'deleting');
  const failures = [...leaving, ...ended.map(endedView)].filter(failedEarly);
  const known = [...all, ...ended.map(endedView)];
  return {
    image: pool?.image ?? null,
    ...knownPoolSize(pool, record),
    ready: count('ready'),
    building: count('building'),
    verifying: count('verifying'),
    paused: record?.paused ?? null,
    templates: (record?.templates ?? []).map((template) => ({
      ...template,
      machines: registry.machines.filter(({ record: { state }, agent }) => {
        return state === 'ready' && agent?.template === template.template;
      }).length,
    })),
    failed: failures.length,
    machines,
    failures: failures.slice(0, shown),
    breakers: Object.entries(record?.images ?? {}).map(([image, failure]) => ({
      image,
      open: image === pool?.image && alarms.some(({ code }) => code === 'POOL_BREAKER'),
      ...failure,
    })),
    medianMs: {
      built: medianOf(known, 'built'),
      verified: medianOf(known, 'verified'),
      waited: medianOf(known, 'waited'),
    },
    waiting: words.waiting.filter(({ what }) => what === 'pool'),
    alarms,
  };
}

/** It never was ready, and was given up. */
function failedEarly({ story, verification }: MachineView): boolean {
  const came = story.some(({ step }) => step === 'waited' || step === 'started' || step === 'served');
  return verification?.passed === false || !came;
}

function medianOf(machines: readonly MachineView[], step: StoryStep['step']): number | null {
  const took = machines
    .filter((machine) => !(failedEarly(machine) && step !== 'built'))
    .flatMap(({ story }) => story.find((one) => one.step === step)?.tookMs ?? []);
  return median(took);
}
