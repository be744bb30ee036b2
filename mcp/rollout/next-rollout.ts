/**
 * The rollout as a state machine: from the record and what is seen of the service to the record's next value. Whoever leads
 * may take any step; each is written before anything follows from it, so that a kill between any two leaves a record that
 * goes on (P12). Counts and weights of the moment are in the record: planner and gateways follow them and know no phases. Pure.
 */

import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';
import type { Service } from '../../specs/nouns.ts';
import { shareOf } from '../../specs/rollout-settings.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { analyse } from './analyse.ts';
import { turnOf } from './order.ts';
import {
  countOf,
  instancesOf,
  isForward,
  leaving,
  type RolloutInput,
  type RolloutInstance,
  type RolloutStep,
} from './rollout-input.ts';
import { namesOf, sameRun, totalOf } from './sides.ts';
import { gateProblem, needsGate, withGate } from './spec-gate.ts';
import { controller, enter, hold, release, supersede, turnBack } from './transitions.ts';
import { limitsOf, wantedBack, wantedForward, wantedKept, withWanted } from './wanted.ts';

/** ms of waiting after which the record is told, so that the next leader does not begin anew. */
const tellWaitingMs = 60_000;

/** The next step of a rollout; a record that is over and wants nothing stays as it is. */
export function nextRollout(input: RolloutInput): RolloutStep {
  const { record, declared } = input;
  const isOver = !isForward(record) && record.phase !== 'reverting';
  if (isOver && record.wanted.length === 0) return { record: null, redeclare: null, waits: '' };
  const changed = whatElse(record, declared);
  if (changed !== null) {
    return changedTo(record, supersede(record, declared, { by: controller, why: changed, now: input.now }), '');
  }
  const service = declared as Service;
  if (record.phase === 'reverting') return goBack(input, service);
  if (record.phase === 'waiting') return awaitTurn(input, service);
  return record.phase === 'done' ? keepForUndo(input, service) : goForward(input, service);
}

/** Why the declaration is not this rollout's any more; null while it is. Another count is no other declaration. */
function whatElse({ phase, from, to }: RolloutRecord, declared: Service | null): string | null {
  if (!declared) return 'the service is declared no more';
  const target = phase === 'reverting' ? from : to;
  const missing = target.filter((version) => !declared.versions.some((one) => sameRun(one, version)));
  const others = runningVersions(declared).filter((one) => !target.some((version) => sameRun(one, version)));
  if (missing.length > 0) return `${namesOf(missing)} is declared no more, or as something else`;
  return others.length > 0 ? `${namesOf(others)} is declared now` : null;
}

function changedTo(
  before: RolloutRecord,
  after: RolloutRecord,
  waits: string,
  redeclare: Service | null = null,
): RolloutStep {
  const same = canonicalJson(before) === canonicalJson(after);
  return { record: same ? null : after, redeclare, waits };
}

/** Nothing moves before the rollouts that come first are done; where one of the same apply fails, it never begins. */
function awaitTurn(given: RolloutInput, service: Service): RolloutStep {
  const record = rescaled(given.record, totalOf(service.versions));
  const input = { ...given, record };
  const turn = turnOf(record, given.others);
  const because = (why: string) => ({ by: controller, why, now: given.now });
  if ('failed' in turn) {
    const turned = turnBack(record, service, input, { ...because(turn.failed), evidence: [] });
    return { record: turned.record, redeclare: turned.redeclare, waits: '' };
  }
  if (record.hold || 'waits' in turn)
    return settle(given, input, service, record.hold?.why ?? ('waits' in turn ? turn.waits : ''));
  const begun = enter(record, 'checking', because('those that it comes after are done'));
  return settle(given, { ...input, record: begun }, service, '');
}

function goForward(given: RolloutInput, service: Service): RolloutStep {
  const record = withGate(withRoom(rescaled(given.record, totalOf(service.versions)), given), given);
  const input = { ...given, record };
  const failed = failures(input);
  const noted = { ...record, failed: [...record.failed, ...failed.map(({ machine }) => machine)] };
  const analysis = analyse({ ...input, record: noted });
  const problem = problemOf({ ...input, record: noted }, failed, analysis.bad);
  if (problem) return fail({ ...input, record: noted }, service, problem);
  const waited = noted.waitedMs + given.stageMs;
  const { next, waits } = advance({ ...input, record: { ...noted, baseline: analysis.baseline } }, waited, analysis);
  return settle(given, { ...input, record: next }, service, waits);
}

/** Brings what is wanted in line with the record, and notes a long wait. */
function settle(given: RolloutInput, input: RolloutInput, service: Service, waits: string): RolloutStep {
  const both = { before: service, after: service };
  const { record } = input;
  const wanted = isForward(record) ? wantedForward(record, input) : wantedKept(record);
  const next = withWanted(record, wanted, both);
  const moved = next.waitedMs !== given.record.waitedMs || next.log.length !== given.record.log.length;
  const told = !moved && given.stageMs >= tellWaitingMs ? { ...next, waitedMs: next.waitedMs + given.stageMs } : next;
  return changedTo(given.record, told, waits);
}

/** Another total is shared out between old and new in proportion. */
function rescaled(record: RolloutRecord, total: number): RolloutRecord {
  if (record.total === total) return record;
  const scale = (count: number) => {
    if (record.total === 0 || count >= record.total) return count > 0 ? total : 0;
    const exact = Math.round((count * total) / record.total);
    return Math.min(total, count > 0 && total > 0 ? Math.max(1, exact) : exact);
  };
  const base = scale(record.base);
  const goal = record.goal > record.base ? Math.min(total, Math.max(scale(record.goal), base + 1)) : base;
  return { ...record, total, base, goal, reached: Math.min(record.reached, goal) };
}

/** What is kept for undo gives way where the provider's quota is needed for the new version. */
function withRoom(record: RolloutRecord, { room, instances }: RolloutInput): RolloutRecord {
  if (room === null || record.keep === 0) return record;
  const old = instancesOf(leaving(record.from, record.to), instances).length;
  const toMake = Math.max(0, record.total - instancesOf(record.to, instances).length);
  return { ...record, keep: Math.max(0, Math.min(record.keep, old + room - toMake)) };
}

/** New instances that failed and are not noted yet. */
function failures({ record, instances }: RolloutInput): RolloutInstance[] {
  const { healthyDeadlineMs } = record.settings;
  return instancesOf(record.to, instances)
    .filter(({ machine }) => !record.failed.includes(machine))
    .flatMap((instance) => {
      if (instance.state === 'failed') return [instance];
      if (instance.state !== 'coming' || instance.waitingMs < healthyDeadlineMs) return [];
      return [{ ...instance, reason: `not healthy within ${healthyDeadlineMs / 1000} s: ${instance.reason}` }];
    });
}

interface Problem {
  why: string;
  evidence: string[];
}

function problemOf(input: RolloutInput, failed: readonly RolloutInstance[], worse: string[] | null): Problem | null {
  const { record, stageMs } = input;
  const evidence = failed.map(
    ({ machine, version, reason }) => `${version} on machine ${machine.slice(0, 8)}: ${reason}`,
  );
  if (record.failed.length > record.settings.maxFailures && failed.length > 0) {
    const number = record.failed.length === 1 ? 'a new instance' : `${record.failed.length} new instances`;
    return { why: `${number} failed: ${inOneLine(failed.at(-1)?.reason ?? '')}`, evidence };
  }
  if (worse) return { why: 'the new version answers worse than the old one', evidence: worse };
  const breaks = gateProblem(record);
  if (breaks) return breaks;
  const { progressDeadlineMs } = record.settings;
  if (record.hold || record.phase === 'baking' || record.waitedMs + stageMs < progressDeadlineMs) return null;
  const stuck = whatLacks(input);
  return { why: `no progress for ${Math.round(progressDeadlineMs / 1000)} s: ${stuck[0]}`, evidence: stuck };
}

/** The output that follows stays in the evidence. */
function inOneLine(reason: string): string {
  return (reason.split('\n')[0] ?? '').replace(/; its last output:$/, '');
}

/** What a rollout that stands still would need. */
function whatLacks(input: RolloutInput): [string, ...string[]] {
  const { record, instances, room } = input;
  const counts = countOf(record.to, record.total, instances, isSound(record.settings.minHealthyMs));
  if (counts >= record.goal) return [record.why];
  const isFull = room !== null && room <= 0 && instancesOf(record.to, instances).length < record.goal;
  const quota = isFull ? ["the provider's quota leaves no room for one more machine"] : [];
  return [waitsFor(input, record, counts), ...quota];
}

/** A failed rollout goes back by itself, or holds for a person where it is told to. */
function fail(input: RolloutInput, service: Service, { why, evidence }: Problem): RolloutStep {
  const cause = { by: controller, why, now: input.now, evidence };
  const { record } = input;
  if (record.settings.autoRollback) {
    const turned = turnBack(record, service, input, cause);
    return { record: turned.record, redeclare: turned.redeclare, waits: '' };
  }
  if (record.hold?.kind === 'failed') return changedTo(input.record, record, record.hold.why);
  return { record: { ...hold(record, 'failed', null, cause), evidence }, redeclare: null, waits: why };
}

interface Advance {
  next: RolloutRecord;
  waits: string;
}

/** One step on: through a hold, a stage, the next batch, baking. */
function advance(input: RolloutInput, waited: number, analysis: ReturnType<typeof analyse>): Advance {
  const { now } = input;
  const { total, settings } = input.record;
  const counts = countOf(input.record.to, total, input.instances, isSound(settings.minHealthyMs));
  const reached = Math.max(input.record.reached, Math.min(counts, input.record.goal));
  const record = reached > input.record.reached ? { ...input.record, reached, waitedMs: 0 } : input.record;
  const because = (why: string) => ({ by: controller, why, now });
  if (record.hold) {
    const { forMs, why } = record.hold;
    if (forMs === null || waited < forMs) return { next: record, waits: why };
    return { next: release(record, because('its time of waiting is over')), waits: '' };
  }
  if (record.phase === 'checking') return check(input, record, counts);
  if (counts < record.goal) return { next: record, waits: waitsFor(input, record, counts) };
  // It may have served for long, but without traffic.
  if (record.gate && record.base === 0 && waited < settings.minHealthyMs)
    return {
      next: record,
      waits: `the first new instance gets traffic and is watched for ${settings.minHealthyMs / 1000} s`,
    };
  if (record.phase === 'baking') return bake(record, waited, analysis, now);
  if (record.base < record.goal) {
    const passed = { ...record, base: record.goal };
    return { next: enter(passed, record.phase, because(`${record.goal} of ${total} new instances count`)), waits: '' };
  }
  const pause = duePause(record);
  if (pause) return { next: takePause(record, pause, now), waits: '' };
  if (analysis.unsure && waited < (settings.analysis?.patienceMs ?? 0)) return { next: record, waits: analysis.unsure };
  if (analysis.unsure && !record.log.some(({ why }) => why.startsWith(unsureMark))) {
    return { next: hold(record, 'inconclusive', null, because(`${unsureMark}: ${analysis.unsure}`)), waits: '' };
  }
  if (record.base >= total) {
    const why = `all ${total} new instances count; ${analysis.words}`;
    return { next: enter(record, 'baking', because(why)), waits: '' };
  }
  return nextBatch(input, record, counts);
}

const unsureMark = 'the figures do not tell';

function isSound(minHealthyMs: number): (instance: RolloutInstance) => boolean {
  return ({ state, healthyMs }) => state === 'live' && healthyMs >= minHealthyMs;
}

/** The first new instance runs without traffic until its document is compared; where nobody compares, it goes on at once. */
function check(input: RolloutInput, record: RolloutRecord, counts: number): Advance {
  const { gate, instances, now } = input;
  if (!gate || !needsGate(record)) return { next: begin(record, counts, now), waits: '' };
  if (record.goal > 0) {
    const live = countOf(record.to, record.total, instances, ({ state }) => state === 'live');
    if (live > 0 && 'waits' in gate) return { next: record, waits: gate.waits };
    return { next: record, waits: waitsFor(input, record, counts) };
  }
  const toLeave = yetToLeave(input, record);
  if (toLeave > 0) return { next: record, waits: `${toLeave} old instances have yet to leave` };
  const why = 'one new instance first, without traffic: its document is compared with the live one';
  return { next: { ...enter(record, 'checking', { by: controller, why, now }), goal: 1 }, waits: '' };
}

/** From checking to the canary or the first batch; new instances that run already are not started again. */
function begin(record: RolloutRecord, counts: number, now: number): RolloutRecord {
  const { total, settings } = record;
  const base = record.gate ? record.base : Math.min(total, Math.max(counts, record.base));
  const { canary } = limitsOf(settings, total);
  const isCanary = base < canary && canary < total;
  const why = isCanary ? `${canary} of ${total} goes first` : `from ${namesOf(record.from)} to ${namesOf(record.to)}`;
  const goal = Math.max(base, record.goal);
  // One that was read serves already: that it counts is no progress that would begin its time with traffic anew.
  const begun = { ...record, base, goal, reached: goal };
  return enter(begun, isCanary ? 'canary' : 'rolling', { by: controller, why, now });
}

/** More new ones, once the old ones that they make needless have begun to leave. */
function nextBatch(input: RolloutInput, record: RolloutRecord, counts: number): Advance {
  const { base, total, settings } = record;
  const { surge, unavailable, batch, canary } = limitsOf(settings, total);
  const toLeave = yetToLeave(input, record);
  if (toLeave > 0) return { next: record, waits: `${toLeave} old instances have yet to leave` };
  if (counts < base) return { next: record, waits: `${base - counts} new instances were lost and are replaced` };
  const isCanary = record.phase === 'canary' && base < canary;
  const goal = Math.min(total, isCanary ? canary : base + batch, base + surge + unavailable);
  const why = `${goal - base} more: ${goal} of ${total}`;
  return {
    next: {
      ...enter(record, isCanary ? 'canary' : 'rolling', { by: controller, why, now: input.now }),
      goal,
      reached: base,
    },
    waits: '',
  };
}

/** Old instances that are needless by now and still serve: new ones wait for them, so that the surge is kept. */
function yetToLeave({ instances }: RolloutInput, { from, to, total, base, settings, keep }: RolloutRecord): number {
  const { unavailable } = limitsOf(settings, total);
  const old = leaving(from, to);
  const serving = instancesOf(old, instances).filter(({ state }) => state === 'live').length;
  return serving - Math.max(total - unavailable - base, Math.min(keep, totalOf(old)));
}

function bake(record: RolloutRecord, waited: number, analysis: ReturnType<typeof analyse>, now: number): Advance {
  const left = record.settings.bakeMs - waited;
  if (left > 0) return { next: record, waits: `watched for ${Math.ceil(left / 1000)} s more; ${analysis.words}` };
  const kept = record.keep > 0 ? `; ${record.keep} old instances stay at weight 0 for undo` : '';
  const why = `all ${record.total} run ${namesOf(record.to)}${kept}`;
  return { next: enter(record, 'done', { by: controller, why, now }), waits: '' };
}

function duePause({ settings, paused, base, total }: RolloutRecord): { at: number; forMs: number | null } | null {
  const due = settings.pauses.findIndex(
    ({ at }, index) => !paused.includes(index) && base >= Math.max(1, shareOf(at, total, 'up')),
  );
  const pause = settings.pauses[due];
  return pause ? { at: due, forMs: pause.forMs } : null;
}

function takePause(
  record: RolloutRecord,
  { at, forMs }: { at: number; forMs: number | null },
  now: number,
): RolloutRecord {
  const until = forMs === null ? 'until it is promoted' : `for ${Math.round(forMs / 1000)} s`;
  const why = `pauses ${until}, with ${record.base} of ${record.total} new instances`;
  return hold({ ...record, paused: [...record.paused, at] }, 'pause', forMs, { by: controller, why, now });
}

function waitsFor({ instances }: RolloutInput, { to, goal, settings, total }: RolloutRecord, counts: number): string {
  const mine = instancesOf(to, instances);
  const live = countOf(to, total, instances, ({ state }) => state === 'live');
  const said = mine.filter(({ state }) => state !== 'live').map(({ reason }) => reason);
  const words = [...new Set(said.map(inOneLine))].filter((reason) => reason !== '').join('; ');
  const away = Math.max(0, goal - mine.length);
  const parts = [
    `${counts} of ${goal} new instances have served for ${settings.minHealthyMs / 1000} s`,
    live > counts ? `${live - counts} serve and are watched` : '',
    away > 0 ? `${away} wait for a machine` : '',
    words,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Done: the old ones are let go when their time for undo is over. */
function keepForUndo(given: RolloutInput, service: Service): RolloutStep {
  const { record: before, now } = given;
  const waited = before.waitedMs + given.stageMs;
  const left = before.settings.undoMs - waited;
  const record =
    left > 0
      ? withRoom(before, { ...given, record: { ...before, total: totalOf(service.versions) } })
      : {
          ...enter(before, 'done', { by: controller, why: 'the time for undo is over: the old instances go', now }),
          keep: 0,
        };
  return settle(given, { ...given, record }, service, '');
}

/** Back: as soon as all the old ones serve and no new one does. */
function goBack(given: RolloutInput, service: Service): RolloutStep {
  const total = totalOf(service.versions);
  const record = { ...given.record, total };
  const input = { ...given, record };
  const back = countOf(record.from, total, given.instances, ({ state }) => state === 'live');
  const gone = instancesOf(leaving(record.to, record.from), given.instances);
  const both = { before: service, after: service };
  if (back >= total && gone.length === 0) {
    const why = `all ${total} run ${namesOf(record.from)} again`;
    return changedTo(
      given.record,
      withWanted(enter(record, 'reverted', { by: controller, why, now: given.now }), [], both),
      '',
    );
  }
  const waits = `goes back: ${back} of ${total} old instances serve, ${gone.length} new ones are left`;
  return changedTo(given.record, withWanted(record, wantedBack(record, input), both), waits);
}
