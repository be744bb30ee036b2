/** Rollouts as people read them: a tree of phases and instances, a table of all, and one line for each step. */
import type { WatchedCalls } from '../../proxy-daemon/version-figures.ts';
import type { RolloutEntry } from '../../registrar/rollout-records.ts';
import { namesOf } from '../rollout/sides.ts';
import type { RolloutView } from '../view/rollout-view.ts';
import { ago, paint, type Style, table } from './output.ts';

const phaseStyles: Record<RolloutView['phase'], Style> = {
  waiting: 'dim',
  checking: 'cyan',
  canary: 'cyan',
  rolling: 'cyan',
  baking: 'cyan',
  done: 'green',
  reverting: 'yellow',
  reverted: 'red',
  superseded: 'dim',
};

/** The table of `mcp rollouts`. */
export function renderRollouts(views: readonly RolloutView[], now: number, color: boolean): string {
  if (views.length === 0) return 'Nothing was rolled out yet.';
  const rows = views.map((view) => [
    view.service,
    `${namesOf(view.from)} -> ${namesOf(view.to)}`,
    paint(color, phaseStyles[view.phase], view.hold ? `${view.phase}, holds` : view.phase),
    `${view.done}/${view.total}`,
    ago(now - view.since),
    view.by,
    view.hold?.why ?? view.why,
  ]);
  return table([['SERVICE', 'VERSIONS', 'PHASE', 'NEW', 'FOR', 'BY', 'WHY'], ...rows], color);
}

/** One rollout with all that is known of it. `calls`: of operations that its new version lacks; null: not counted. */
export function renderRollout(
  view: RolloutView,
  now: number,
  color: boolean,
  calls: readonly WatchedCalls[] | null = null,
): string {
  const lines = renderTree(view, now, color);
  const evidence = view.evidence.flatMap((text) => text.split('\n')).map((line) => `    ${line}`);
  const log = view.log.map((entry) => `  ${renderEntry(entry, color)}`);
  const past = view.past.map(
    ({ from, to, outcome, by, reason, endedAt }) =>
      `  ${stamp(endedAt)}  ${from.join(' + ')} -> ${to.join(' + ')}  ${outcome}  ${paint(color, 'dim', `(${by}: ${reason})`)}`,
  );
  return [
    ...lines,
    ...(evidence.length > 0 ? ['', paint(color, 'bold', 'Evidence'), ...evidence] : []),
    ...gateLines(view, color),
    ...callLines(view, calls, now, color),
    '',
    paint(color, 'bold', 'Steps'),
    ...log,
    ...(past.length > 0 ? ['', paint(color, 'bold', 'Before'), ...past] : []),
  ].join('\n');
}

const severityStyles = { breaking: 'red', risky: 'yellow', safe: 'green' } as const;

/** What the new version's document does to callers. */
function gateLines({ gate }: RolloutView, color: boolean): string[] {
  if (!gate || gate.findings.length === 0) return [];
  const rows = gate.findings.map(({ severity, words, operations }) => [
    paint(color, severityStyles[severity], severity),
    operations.join(', ') || '-',
    words,
  ]);
  const more = gate.leftOut > 0 ? [`  and ${gate.leftOut} more`] : [];
  return [
    '',
    paint(color, 'bold', 'Document'),
    ...table([['', 'OPERATION', 'WHAT'], ...rows], color)
      .split('\n')
      .map((line) => `  ${line}`),
    ...more,
  ];
}

/** Whether what the new version lacks is still asked for. */
function callLines(
  { gate }: RolloutView,
  calls: readonly WatchedCalls[] | null,
  now: number,
  color: boolean,
): string[] {
  if (gate?.watched === undefined) return [];
  const head = ['', paint(color, 'bold', 'Still called?')];
  if (!calls) return [...head, '  not known: not every gateway counts calls by operation (yet); plain mode never does'];
  const rows = calls.map(({ operation, requests, since, lastAt }) => [
    operation,
    requests > 0 ? paint(color, 'red', `${requests} ${requests === 1 ? 'call' : 'calls'}`) : 'no call',
    `in ${ago(now - since)}`,
    requests > 0 ? `the last ${ago(now - lastAt)} ago` : '',
  ]);
  return [
    ...head,
    ...table([['OPERATION', 'CALLS', 'COUNTED', ''], ...rows], color)
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

/** What moves while it goes on: a head, both sides with their instances, what it waits for. */
export function renderTree(view: RolloutView, now: number, color: boolean): string[] {
  const phase = paint(color, phaseStyles[view.phase], view.phase);
  const eta = view.etaMs === null ? '' : `, about ${Math.ceil(view.etaMs / 1000)} s left`;
  const head = `${paint(color, 'bold', view.service)}  ${namesOf(view.from)} -> ${namesOf(view.to)}  ${phase}  ${bar(view)} ${view.done} of ${view.total}${eta}`;
  const sides = [...view.to, ...view.from].filter(({ count, instances }) => count > 0 || instances.length > 0);
  const waits = view.hold ? `holds: ${view.hold.why}` : view.waits || view.why;
  return [
    head,
    ...sides.flatMap((side, at) => sideLines(side, at === sides.length - 1, color)),
    paint(color, 'dim', `${ago(now - view.at)} since it began; ${waits}`),
  ];
}

const mostShown = 12;

function sideLines(side: RolloutView['to'][number], last: boolean, color: boolean): string[] {
  const { version, live, count, weight, instances } = side;
  const share = weight === null ? '' : `  weight ${weight}`;
  const shown = instances.slice(0, mostShown).map(({ machine, state }) => {
    const style = state === 'up' ? 'green' : state === 'failed' ? 'red' : 'yellow';
    return `${machine.slice(0, 8)} ${paint(color, style, state)}`;
  });
  const more = instances.length > mostShown ? [`and ${instances.length - mostShown} more`] : [];
  const rows = [...shown, ...more];
  const [branch, stem] = last ? ['└─', '   '] : ['├─', '│  '];
  return [
    `${branch} ${version}  ${live} of ${count} serve${share}`,
    ...rows.map((row, at) => `${stem}${at === rows.length - 1 ? '└─' : '├─'} ${row}`),
  ];
}

const barWidth = 20;

function bar({ done, total }: RolloutView): string {
  const full = total === 0 ? barWidth : Math.round((done / total) * barWidth);
  return `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`;
}

/** One step in one line. */
export function renderEntry({ at, by, phase, why }: RolloutEntry, color: boolean): string {
  const style = phaseStyles[phase];
  const who = by === 'controller' ? '' : paint(color, 'dim', ` (${by})`);
  return `${stamp(at)}  ${paint(color, style, phase.padEnd(10))} ${why}${who}`;
}

function stamp(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}
