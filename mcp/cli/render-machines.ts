/** Machines and the pool as people read them. */
import { shown } from '../../vm-factory/pool/judge-self-test.ts';
import { type MachineView, operatorWords, type StoryStep } from '../view/machine-view.ts';
import type { PoolView } from '../view/pool-view.ts';
import { ago, paint, type Style, table, took } from './output.ts';

export interface RenderOptions {
  color: boolean;
  /** ms since the Unix epoch. */
  now: number;
}

const stateStyles: Record<MachineView['state'], Style> = {
  building: 'yellow',
  verifying: 'yellow',
  ready: 'cyan',
  claimed: 'green',
  draining: 'yellow',
  deleting: 'red',
  ended: 'dim',
};

/** Characters of a machine's id in tables; any unique beginning of it is understood. */
const idLength = 8;
/** Ended machines shown unless all are asked for. */
const endedShown = 5;

/** The text of `mcp machines`: those there are, then those that ended lately. */
export function renderMachines(
  live: readonly MachineView[],
  ended: readonly MachineView[],
  { color, now, all }: RenderOptions & { all: boolean },
): string {
  const head = ['MACHINE', 'STATE', 'FOR', 'ADDRESS', 'RUNS', 'AGENT', 'STORY'];
  const blocks = [
    live.length === 0
      ? 'There are no machines.'
      : table([head, ...live.map((view) => machineRow(view, color, now))], color),
  ];
  const recent = all ? ended : ended.slice(0, endedShown);
  if (recent.length > 0) {
    const rows = recent.map((view) => [
      view.machine.slice(0, idLength),
      `${ago(now - view.since)} ago`,
      runs(view),
      storyText(view),
      view.reason,
    ]);
    blocks.push(table([['ENDED', 'WHEN', 'RAN', 'STORY', 'WHY'], ...rows], color));
  }
  const left = ended.length - recent.length;
  if (left > 0) blocks.push(paint(color, 'dim', `${left} more ended before: mcp machines --all`));
  return blocks.join('\n\n');
}

function machineRow(view: MachineView, color: boolean, now: number): string[] {
  return [
    view.machine.slice(0, idLength),
    paint(color, stateStyles[view.state], view.state),
    ago(now - view.since),
    view.address,
    runs(view),
    view.agent,
    [storyText(view), operatorWords(view), view.reason].filter((text) => text !== '').join('; '),
  ];
}

function runs({ service, version }: MachineView): string {
  return service ? `${service}@${version}` : '';
}

/** What is done is told with how long it took; what lasts is told by the state. */
function storyText({ story, warm }: MachineView): string {
  const words: Record<StoryStep['step'], string> = {
    built: 'built in',
    verified: 'verified in',
    waited: 'claimed after',
    started: warm ? 'served from its service template within' : 'served within',
    served: 'served for',
    drained: 'drained in',
    destroyed: 'gone in',
  };
  return story
    .flatMap(({ step, tookMs }, at) =>
      tookMs === null || failsThere(story, at) ? [] : `${words[step]} ${took(tookMs)}`,
    )
    .join(', ');
}

/** A step that was cut short by the machine's end was not done. */
function failsThere(story: readonly StoryStep[], at: number): boolean {
  const step = story[at]?.step;
  const next = story[at + 1]?.step;
  return (
    (next === 'destroyed' || next === undefined) && step !== 'served' && step !== 'drained' && step !== 'destroyed'
  );
}

/** The text of `mcp machines ID`: everything known of one. */
export function renderMachine(view: MachineView, { color, now }: RenderOptions): string {
  const what =
    view.state === 'ended' ? `ended ${ago(now - view.since)} ago` : `${view.state} for ${ago(now - view.since)}`;
  const facts = [
    ['runs', runs(view) || 'nothing'],
    ['agent', view.agent || 'none'],
    ['address', view.address || 'none yet'],
    ['image', `${view.image}${view.flavor ? ` (${view.flavor})` : ''}`],
    ...(view.template === null ? [] : [['template', view.template]]),
    ['provider', `${view.provider}${view.providerId ? ` (${view.providerId})` : ''}`],
    ...(operatorWords(view) ? [['said', operatorWords(view)]] : []),
    ...(view.reason ? [['why', view.reason]] : []),
  ];
  const width = Math.max(...facts.map(([name = '']) => name.length));
  return [
    `${paint(color, 'bold', `machine ${view.machine}`)}  ${paint(color, stateStyles[view.state], what)}`,
    facts.map(([name = '', value = '']) => `  ${name.padEnd(width)}  ${value}`).join('\n'),
    renderStory(view, color),
    renderSelfTest(view, color),
    paint(
      color,
      'dim',
      `mcp events --machine ${view.machine.slice(0, idLength)} shows what was done to it, by whom and why`,
    ),
  ].join('\n\n');
}

function renderStory({ story, warm }: MachineView, color: boolean): string {
  const stages: Record<StoryStep['step'], string> = {
    built: 'building',
    verified: 'verifying',
    waited: 'ready',
    started: warm ? 'claimed, its service from the template' : 'claimed, starting',
    served: 'serving',
    drained: 'draining',
    destroyed: 'being destroyed',
  };
  const rows = story.map(({ step, at, tookMs }) => [timeOf(at), stages[step], tookMs === null ? 'now' : took(tookMs)]);
  return table([['FROM', 'STAGE', 'TOOK'], ...rows], color);
}

function renderSelfTest({ verification }: MachineView, color: boolean): string {
  if (!verification) return 'Its self-test has not been judged yet.';
  const rows = verification.checks.map(({ name, value, unit, threshold, passed, note, of }) => [
    paint(color, passed ? 'green' : 'red', passed ? 'ok' : 'FAILED'),
    name,
    value === null ? '-' : shown(value, unit),
    threshold === null ? '' : `${atMost.has(unit) ? 'at most' : 'at least'} ${shown(threshold, unit)}`,
    [of === undefined ? '' : `of ${of}`, note ?? ''].filter((text) => text !== '').join(': '),
  ]);
  const head = `Self-test at ${timeOf(verification.at)}, in ${took(verification.tookMs)}`;
  return `${paint(color, 'bold', head)}\n${table([['', 'CHECK', 'FOUND', 'LIMIT', 'WHAT'], ...rows], color)}`;
}

/** Units of figures that shall be small. */
const atMost = new Set(['ms', 'faults']);

function timeOf(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '');
}

/** The text of `mcp pool`. */
export function renderPool(view: PoolView, { color, now }: RenderOptions): string {
  const blocks = [poolHead(view, color)];
  if (view.machines.length > 0) {
    const rows = view.machines.map((machine) => [
      machine.machine.slice(0, idLength),
      paint(color, stateStyles[machine.state], machine.state),
      ago(now - machine.since),
      ago(now - machine.createdAt),
      machine.address,
      [storyText(machine), machine.reason].filter((text) => text !== '').join('; '),
    ]);
    blocks.push(table([['MACHINE', 'STATE', 'FOR', 'AGE', 'ADDRESS', 'STORY'], ...rows], color));
  }
  if (view.templates.length > 0) {
    const rows = view.templates.map(({ service, version, template, state, machines, reason }) => [
      `${service}@${version}`,
      template,
      paint(
        color,
        state === 'ready' ? 'green' : state === 'failed' || state === 'impossible' ? 'red' : 'yellow',
        state,
      ),
      `${machines} ready`,
      reason,
    ]);
    blocks.push(table([['SERVICE', 'TEMPLATE', 'STATE', 'MACHINES', 'WHY'], ...rows], color));
  }
  if (view.failures.length > 0) {
    const rows = view.failures.map(({ machine, image, since, reason }) => [
      machine.slice(0, idLength),
      `${ago(now - since)} ago`,
      image,
      reason,
    ]);
    blocks.push(table([['FAILED', 'WHEN', 'IMAGE', 'WHY'], ...rows], color));
  }
  const waits = [
    ...view.alarms.map(({ code, message }) => `${paint(color, 'red', code)} ${message}`),
    ...view.waiting.map(({ why }) => `waits: ${why}`),
  ];
  if (waits.length > 0) blocks.push(waits.join('\n'));
  return blocks.join('\n\n');
}

function poolHead(view: PoolView, color: boolean): string {
  const { ready, target, building, verifying, paused, failed, medianMs, why } = view;
  const counts = paint(color, ready < target ? 'yellow' : 'green', `${ready} of ${target} ready`);
  const others = [
    `${building} building`,
    `${verifying} verifying`,
    ...(paused === null ? [] : [`${paused} paused`]),
    paint(color, failed > 0 ? 'red' : 'dim', `${failed} failed`),
  ];
  const medians = Object.entries({
    building: medianMs.built,
    verifying: medianMs.verified,
    'ready until claimed': medianMs.waited,
  })
    .flatMap(([name, ms]) => (ms === null ? [] : `${name} ${took(ms)}`))
    .join(', ');
  return [
    `${paint(color, 'bold', `pool of image ${view.image ?? '-'}`)}  ${counts}, ${others.join(', ')}`,
    `  size      ${target}: ${why}`,
    `  times     ${medians ? `${medians} (medians)` : 'none known yet'}`,
    `  breaker   ${breakerText(view, color)}`,
  ].join('\n');
}

function breakerText({ breakers }: PoolView, color: boolean): string {
  if (breakers.length === 0) return paint(color, 'green', 'closed');
  return breakers
    .map(({ image, open, inARow, lastReason }) => {
      const state = paint(color, open ? 'red' : 'yellow', open ? 'OPEN' : 'closed');
      const again = open ? '; `mcp pool retry` tries again at once' : '';
      return `${state}  ${inARow} of image ${image} failed in a row, the last because ${lastReason}${again}`;
    })
    .join('\n            ');
}
