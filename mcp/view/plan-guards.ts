/** What would refuse a declaration, make it wait, or stop it on its way. Pure. */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Environment } from '../../specs/nouns.ts';
import { rolloutSettings } from '../../specs/rollout-settings.ts';
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
  return [
    ...slips(input),
    ...rollouts(input),
    ...brakes(input),
    ...quota(input),
    ...specGates(input),
    ...heldUp(input.rehearsal),
  ].sort((a, b) => order[a.effect] - order[b.effect]);
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

/** By what the planner says; the brake itself was off. */
function heldUp({ heldUp: all, stuck }: Rehearsal): Guard[] {
  const isStuck = (waiting: Waiting) => stuck.some(({ what, why }) => what === waiting.what && why === waiting.why);
  const found = [
    ...all,
    ...stuck
      .filter((one) => !all.some(({ what, why }) => what === one.what && why === one.why))
      .map((one) => ({ ...one, ms: 0 })),
  ].flatMap((waiting): (Guard & { ms: number })[] => {
    const guard = guardIn(waiting.why);
    const stops = isStuck(waiting);
    if (!stops && (guard === null || waiting.ms < worthTellingMs)) return [];
    const seconds = Math.round(waiting.ms / 1000);
    const why = `${waiting.what}: ${waiting.why}`;
    const kind = guard ?? 'stuck';
    return [
      {
        guard: kind,
        effect: stops ? 'stops' : 'waits',
        why: stops ? why : `${why} (holds it up for ${seconds} s)`,
        try: tries[kind] ?? '',
        ms: waiting.ms,
      },
    ];
  });
  // One of a kind says it: the one that takes longest.
  const longest = new Map<string, Guard & { ms: number }>();
  for (const one of found) {
    const key = `${one.guard} ${one.effect}`;
    if (one.ms >= (longest.get(key)?.ms ?? 0)) longest.set(key, one);
  }
  return [...longest.values()].map(({ ms: _, ...guard }) => guard);
}

const tries: Partial<Record<Guard['guard'], string>> = {
  protected: 'mcp machines unprotect MACHINE',
  breaker: 'mend what fails; mcp pool forgets failures that are over',
};

const words: [RegExp, Guard['guard']][] = [
  [/destruction budget/, 'budget'],
  [/mass failure|too few of the service are live/, 'mass-failure'],
  [/protected/, 'protected'],
  [/the host has \d+ machines/, 'shared-host'],
  [/starts in a row failed|machines of image .* failed|failed in a row/, 'breaker'],
  [/quota of/, 'quota'],
];

function guardIn(why: string): Guard['guard'] | null {
  return words.find(([pattern]) => pattern.test(why))?.[1] ?? null;
}
