/** Where a request would go, as people read it. */
import type { ExplainedInstance, Explanation } from '../../proxy-daemon/routes/explain/explanation.ts';
import { paint, type Style, table } from './output.ts';

export function renderExplanation(told: Explanation, color: boolean): string {
  const { outcome, route, passedOver, door, leftOut, tries, notes } = told;
  const bold = (text: string) => paint(color, 'bold', text);
  const status = outcome.status === null ? '' : ` ${outcome.status}`;
  const style = outcome.kind === 'refused' ? 'red' : 'green';
  const list = (title: string, lines: string[]) =>
    lines.length === 0 ? [] : [bold(title), ...lines.map((line) => `    ${line}`)];
  return [
    `${told.method} ${told.asked}  ${paint(color, style, `${outcome.kind}${status}: ${outcome.why}`)}`,
    `${told.gateway}  generation ${told.generation}  ${told.mode} (${told.modeReason})`,
    ...list('route', [
      ...(route === null
        ? []
        : [
            `${route.prefix} of ${route.service}${route.declared ? '' : ' (not declared)'}${route.rest === null ? '' : `, whose instances see ${route.rest}`}`,
          ]),
      ...passedOver.map(({ prefix, service, why }) => `not ${prefix} of ${service}: ${why}`),
    ]),
    ...list('door', door),
    ...list(
      'versions',
      told.versions.map(({ version, share, why }) => `${version}  ${Number((share * 100).toFixed(1))} %: ${why}`),
    ),
    ...list('choice', told.choice),
    ...(told.instances.length === 0 ? [] : [bold('instances'), instanceTable(told.instances, color)]),
    ...list(
      'left out',
      leftOut.map(({ path, reason }) => `${path}: ${reason}`),
    ),
    ...list(
      'tries',
      tries === null
        ? []
        : [
            `at most ${tries.most}, when ${tries.when}${tries.budgetPercent === null ? '' : `; for at most ${tries.budgetPercent} % of all requests`}`,
            `${tries.protocol}: connect ${tries.connectMs} ms, send ${tries.sendMs} ms, read ${tries.readMs} ms; marked down for ${tries.markDownMs} ms`,
          ],
    ),
    ...list('to know', notes),
  ].join('\n');
}

const chanceStyles: Record<ExplainedInstance['chance'], Style> = {
  yes: 'green',
  seldom: 'yellow',
  last: 'yellow',
  no: 'red',
};

function instanceTable(instances: readonly ExplainedInstance[], color: boolean): string {
  const rows = instances.map(({ version, endpoint, machine, state, inFlight, chance, why }) => [
    paint(color, chanceStyles[chance], chance),
    version,
    endpoint,
    machine.slice(0, 16),
    state,
    inFlight === null ? '-' : String(inFlight),
    why,
  ]);
  return table(
    [['    CHOSEN', 'VERSION', 'ADDRESS', 'MACHINE', 'STATE', 'IN FLIGHT', 'WHY'], ...rows.map(indented)],
    color,
  );
}

function indented([first = '', ...rest]: string[]): string[] {
  return [`    ${first}`, ...rest];
}
