/** What would refuse a declaration, make it wait, or stop it on its way. Pure. */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';
import type { Environment } from '../../specs/nouns.ts';
import { rolloutSettings } from '../../specs/rollout-settings.ts';
import { formatSize } from '../../specs/size.ts';
import type { Waiting } from '../plan/plan.ts';
import type { ProviderWords } from '../plan/rehearsal-world.ts';
import type { Rehearsal } from '../plan/rehearse.ts';
import { leaving } from '../rollout/rollout-input.ts';
import { namesOf, sameRun } from '../rollout/sides.ts';
import type { RegistryPart } from './status-view.ts';

export interface Guard {
  guard:
    | 'count-cut'
    | 'rollout'
    | 'brake'
    | 'leader'
    | 'budget'
    | 'mass-failure'
    | 'quota'
    | 'memory'
    | 'no-image'
    | 'shared-host'
    | 'breaker'
    | 'protected'
    | 'spec-gate'
    | 'stuck';
  /** `refuses`: apply is refused. `waits`: it takes its time. `stops`: it is declared and does not come to its end. `checks`: known only then. */
  effect: 'refuses' | 'waits' | 'stops' | 'checks';
  why: string;
  /** What a person can do; empty where nothing need be done. */
  try: string;
}

export interface GuardInput {
  environment: Environment;
  registry: RegistryPart;
  /** Whether a controller leads. */
  leads: boolean;
  /** Why apply would want a confirmation; null: it would not. */
  refusal: string | null;
  /** Rollouts under way that it would meddle with. */
  meddled: readonly RolloutRecord[];
  begun: readonly RolloutRecord[];
  provider: ProviderWords;
  rehearsal: Rehearsal;
  /** Machines at the peak if there were no quota. */
  peakWithoutQuota: number;
}

/** Those that refuse first. */
export function guardsOf(input: GuardInput): Guard[] {
  const order = { refuses: 0, stops: 1, waits: 2, checks: 3 };
  const { rehearsal } = input;
  const provider = [...quota(input), ...memory(input)];
  const known = [...provider, ...heldUp(rehearsal)];
  const all = [...slips(input), ...rollouts(input), ...brakes(input), ...known, ...specGates(input)];
  return [...all, ...stuck(rehearsal, known)].sort((a, b) => order[a.effect] - order[b.effect]);
}

function slips({ refusal }: GuardInput): Guard[] {
  return refusal === null
    ? []
    : [{ guard: 'count-cut', effect: 'refuses', why: refusal, try: 'if it is meant: --yes' }];
}

function rollouts({ meddled }: GuardInput): Guard[] {
  return meddled.map(({ service, from, to, phase, by }) => ({
    guard: 'rollout',
    effect: 'refuses',
    why: `${service} is being rolled out from ${namesOf(from)} to ${namesOf(to)} by ${by} (${phase})`,
    try: `wait for its end, mcp abort ${service}, or --supersede`,
  }));
}

function brakes({ registry, leads }: GuardInput): Guard[] {
  const { suspended, by, reason } = registry.suspended.record;
  const brake: Guard = {
    guard: 'brake',
    effect: 'stops',
    why: `suspended by ${by || 'unknown'}: ${reason || 'no reason given'}`,
    try: 'mcp resume',
  };
  const leader: Guard = { guard: 'leader', effect: 'stops', why: 'no controller leads', try: 'mcp up' };
  return [...(suspended ? [brake] : []), ...(leads ? [] : [leader])];
}

function quota({ provider, peakWithoutQuota, rehearsal }: GuardInput): Guard[] {
  const { machines } = provider;
  if (!machines) return [];
  const room = Math.max(0, machines.limit - machines.others);
  const short = peakWithoutQuota - room;
  if (short <= 0) return [];
  const others = machines.others > 0 ? `, ${machines.others} of them taken by others` : '';
  return [
    {
      guard: 'quota',
      effect: rehearsal.stuck.length > 0 ? 'stops' : 'waits',
      why: `${peakWithoutQuota} machines are wanted at the peak, ${short} more than the quota of ${machines.limit} leaves${others}`,
      try: 'declare fewer, a smaller pool or a smaller surge, or raise the quota',
    },
  ];
}

/** Nobody refuses a machine for it: each takes what it uses, which is known only then. */
function memory({ environment, provider, rehearsal }: GuardInput): Guard[] {
  const { memory: known, machines } = provider;
  if (!known) return [];
  const each = environment.pool.flavor?.memoryBytes ?? known.machine;
  const peak = rehearsal.peak.machines + (machines?.others ?? 0);
  if (peak * each <= known.host) return [];
  const all = `${peak} machines of up to ${formatSize(each)} are ${formatSize(peak * each)} at the peak`;
  return [
    {
      guard: 'memory',
      effect: 'checks',
      why: `${all}, the host has ${formatSize(known.host)}: it does not fit if they use it`,
      try: 'declare fewer, a smaller pool, a smaller surge or a smaller flavor',
    },
  ];
}

function specGates({ environment, begun, registry }: GuardInput): Guard[] {
  return begun.flatMap(({ service: name, from, to, settings }): Guard[] => {
    const service = environment.services.find((one) => one.name === name);
    if (service?.document === undefined || leaving(from, to).length === 0) return [];
    const last = registry.rollouts[name]?.record;
    const isKnown =
      last?.gate?.verdict === 'breaking' && to.every((one) => last.to.some((other) => sameRun(one, other)));
    const { allowBreaking } = { ...rolloutSettings(service), ...settings };
    if (isKnown && allowBreaking === null)
      return [
        {
          guard: 'spec-gate',
          effect: 'stops',
          why: `${name}@${namesOf(to)} breaks callers, as was found before: ${last?.gate?.words}`,
          try: `mend it, or mcp upgrade ${name} --to ${namesOf(to)} --allow-breaking REASON`,
        },
      ];
    const why = `the document of ${name}@${namesOf(to)} is compared at 0 % traffic; what breaks callers takes it back`;
    return allowBreaking === null ? [{ guard: 'spec-gate', effect: 'checks', why, try: '' }] : [];
  });
}

/** ms: what holds up for less is how things go. */
const worthTellingMs = 5_000;

/** By the causes that the planner gives; the brake itself was off. */
function heldUp({ heldUp: all, stuck: left }: Rehearsal): Guard[] {
  const isLeft = (one: Waiting) => left.some(({ what, cause }) => what === one.what && cause === one.cause);
  const stops = left.map((one) => ({ ...one, ms: 0, effect: 'stops' as const }));
  const waits = all
    .filter((one) => !isLeft(one) && one.ms >= worthTellingMs)
    .map((one) => ({ ...one, effect: 'waits' as const }));
  const found = [...stops, ...waits].flatMap(({ what, why, cause, effect, ms }) => {
    const guard = guardsByCause[cause];
    if (guard === undefined) return [];
    const time = effect === 'waits' ? ` (holds it up for ${Math.round(ms / 1000)} s)` : '';
    return [{ guard, effect, why: `${what}: ${why}${time}`, try: tries[guard] ?? '', ms }];
  });
  // One of a kind says it: the one that takes longest.
  const longest = new Map<string, Guard & { ms: number }>();
  for (const one of found) {
    const key = `${one.guard} ${one.effect}`;
    if (one.ms > (longest.get(key)?.ms ?? -1)) longest.set(key, one);
  }
  return [...longest.values()].map(({ ms: _, ...guard }) => guard);
}

/** What it ends with where nothing that is known of explains it. */
function stuck({ stuck: left }: Rehearsal, known: readonly Guard[]): Guard[] {
  const [first] = left;
  if (first === undefined || known.some(({ effect }) => effect === 'stops')) return [];
  const more = 'give it more time (rollout: progress-deadline), or fewer instances at a time';
  const where = first.service === undefined ? 'mcp status' : `mcp why ${first.service}`;
  const next = first.cause === 'rollout' ? more : `mcp apply, then ${where}`;
  return [{ guard: 'stuck', effect: 'stops', why: `${first.what}: ${first.why}`, try: next }];
}

const tries: Partial<Record<Guard['guard'], string>> = {
  protected: 'mcp machines unprotect MACHINE',
  'no-image': 'mcp image bake IMAGE, or name one of mcp image list',
  breaker: 'mend what fails; mcp pool retry forgets failures that are over',
};

/** The quota is told by itself, with how many machines are short. */
const guardsByCause: Partial<Record<WaitCause, Guard['guard']>> = {
  budget: 'budget',
  'mass-failure': 'mass-failure',
  protected: 'protected',
  'no-image': 'no-image',
  'shared-host': 'shared-host',
  breaker: 'breaker',
};
