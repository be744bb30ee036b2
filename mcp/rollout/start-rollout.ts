/** How a rollout begins: what it goes from and to, and why it may not. Pure. */

import type { PastRollout, RolloutOrder, RolloutRecord } from '../../registrar/rollout-records.ts';
import { McpError } from '../../specs/errors.ts';
import type { RolloutSettings, Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { declareSide } from './redeclare.ts';
import { countOf, isActive, leaving, type RolloutInstance } from './rollout-input.ts';
import { namesOf, sameSide, totalOf } from './sides.ts';
import { wantedForward, withWanted } from './wanted.ts';

export interface StartRollout {
  /** As it is declared now. */
  service: Service;
  /** The service's last rollout. */
  previous: RolloutRecord | null;
  kind: RolloutRecord['kind'];
  to: Version[];
  settings: RolloutSettings;
  instances: readonly RolloutInstance[];
  /** As an applied file declares it; absent: `to` in place of what runs. */
  declared?: Service;
  order?: RolloutOrder;
  operation: string;
  by: string;
  reason: string;
  /** ms since the Unix epoch. */
  at: number;
}

const pastKept = 10;

/**
 * The first record of a rollout and what the service declares from then on; null where all that runs is what shall run.
 * Errors: REFUSED_ROLLOUT where one is under way (fault 51); USAGE_NOTHING_RUNS where the service has no instance to replace;
 * USAGE_SAME_NAME where the version's name runs as something else.
 */
export function startRollout(start: StartRollout): { record: RolloutRecord; service: Service } | null {
  const { service, previous, to, settings, kind, order, operation, by, reason, at } = start;
  const phase = order && order.after.length > 0 ? 'waiting' : 'checking';
  if (previous && isActive(previous)) throw underWay(previous);
  const from = runningVersions(service);
  if (sameSide(from, to)) return null;
  const total = totalOf(from);
  if (total === 0) {
    throw new McpError('USAGE_NOTHING_RUNS', `${service.name} has no instance that another version could replace`, {
      hint: `Declare its count instead: mcp scale ${service.name}@${to[0]?.version ?? 'VERSION'} N`,
    });
  }
  refuseSameName(service.name, from, to);
  const record: RolloutRecord = {
    service: service.name,
    operation,
    kind,
    by,
    reason,
    at,
    from,
    to,
    settings,
    ...(order ? { order } : {}),
    phase,
    since: at,
    why: reason,
    hold: null,
    total,
    base: 0,
    goal: 0,
    reached: 0,
    waitedMs: 0,
    keep: settings.undoMs > 0 ? totalOf(leaving(from, to)) : 0,
    paused: [],
    failed: [],
    givenUp: 0,
    baseline: null,
    gate: null,
    wanted: previous?.wanted ?? [],
    evidence: [],
    log: [{ at, by, phase, why: `${namesOf(from)} -> ${namesOf(to)}: ${reason}` }],
    past: previous ? [...previous.past, pastOf(previous)].slice(-pastKept) : [],
  };
  // What runs already is not started again.
  const base = countOf(to, total, start.instances, ({ state }) => state === 'live');
  const known = { ...record, base, goal: base };
  const declared = start.declared ?? declareSide(service, to, total);
  const wanted = wantedForward(known, start);
  return { record: withWanted(known, wanted, { before: service, after: declared }), service: declared };
}

/** The refusal of anything that would meddle with a rollout under way. */
export function underWay({ service, from, to, phase, by }: RolloutRecord, otherwise = ''): McpError {
  const what = `${service} is being rolled out from ${namesOf(from)} to ${namesOf(to)} by ${by} (${phase})`;
  return new McpError('REFUSED_ROLLOUT', what, {
    hint: `Wait for its end (mcp rollouts ${service}), or go back first: mcp abort ${service}${otherwise && `; ${otherwise}`}`,
    details: { service, phase },
  });
}

function refuseSameName(service: string, from: readonly Version[], to: readonly Version[]): void {
  for (const version of leaving(to, from)) {
    if (!from.some((one) => one.version === version.version)) continue;
    throw new McpError('USAGE_SAME_NAME', `${service}@${version.version} runs as something else already`, {
      hint: 'A version is what it runs: give what is new another name.',
    });
  }
}

function pastOf({ operation, by, reason, at, since, phase, from, to }: RolloutRecord): PastRollout {
  return { operation, by, reason, at, endedAt: since, outcome: phase, from, to };
}
