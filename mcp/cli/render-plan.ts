/** A preview and a difference of declarations as people read them. */
import type { EnvironmentDiff, ServiceDiff } from '../../specs/compare-environments.ts';
import type { EnvironmentPlan } from '../declare/plan-environment.ts';
import type { Forecast } from '../view/forecast.ts';
import type { Guard } from '../view/plan-guards.ts';
import { paint, type Style, table } from './output.ts';
import { renderOrder, stagedChanges } from './staged-apply.ts';

/** All of `mcp plan`; `next`: what `mcp apply` is to be given. */
export function renderPlan(plan: EnvironmentPlan, color: boolean, next: string): string {
  const { diff, forecast, guards, begun, changes, warning } = plan;
  const parts = [
    renderDiff(diff, color) || 'The declaration is the same.',
    renderRows(forecast, color),
    renderWords(forecast),
    renderOrder(stagedChanges(begun), color),
    changes ? renderSteps(forecast, color) : '',
    renderGuards(guards, color),
    warning === '' ? '' : paint(color, 'yellow', warning),
    changes ? `To do it: mcp apply ${next}` : 'Nothing to do.',
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** A row a version. */
function renderRows({ rows }: Forecast, color: boolean): string {
  const hasUndo = rows.some(({ undo }) => undo > 0);
  const changed = (style: Style, count: number) => (count > 0 ? paint(color, style, String(count)) : '0');
  const head = ['', 'SERVICE', 'VERSION', 'DESIRED', 'KEEP', 'CREATE', 'FROM POOL', 'BUILD', 'DRAIN', 'DESTROY'];
  const body = rows.map((row) => {
    const comes = row.create > 0;
    const goes = row.drain + row.destroy > 0;
    const sign = comes && goes ? '~' : comes ? '+' : goes ? '-' : ' ';
    return [
      paint(color, comes ? (goes ? 'yellow' : 'green') : 'red', sign),
      row.service,
      row.version,
      String(row.desired),
      String(row.keep),
      changed('green', row.create),
      changed('green', row.claim),
      changed('yellow', row.build),
      changed('red', row.drain),
      changed('red', row.destroy),
      ...(hasUndo ? [String(row.undo)] : []),
      row.reason,
    ];
  });
  return table([[...head, ...(hasUndo ? ['FOR UNDO'] : []), 'WHY'], ...body], color);
}

/** What happens in sentences: a line a service that changes, then machines and time. */
function renderWords({ rows, machines, seconds, unmeasured, measured }: Forecast): string {
  const services = [...new Set(rows.map(({ service }) => service))].flatMap((service) => {
    const words = rows.filter((row) => row.service === service).flatMap(rowWords);
    return words.length > 0 ? [`${service}: ${words.join('; ')}.`] : [];
  });
  const { now, peak, created, destroyedOfPool, poolHits, coldBuilds } = machines;
  const pool = [
    ...(created > coldBuilds ? [`${created - coldBuilds} more to fill the pool`] : []),
    ...(destroyedOfPool > 0 ? [`${destroyedOfPool} of the pool are given up`] : []),
  ].map((one) => `, ${one}`);
  const crowd = `${peak.claimed} claimed, ${peak.pool} in the pool, ${peak.leaving} on their way out`;
  return [
    ...services,
    `machines: ${now} now, ${poolHits} from the pool, ${coldBuilds} to build${pool.join('')}; ${peak.machines} at the peak (${crowd})`,
    timeWords(seconds, unmeasured, measured),
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function rowWords({ version, create, claim, build, drain, destroy, undo }: Forecast['rows'][number]): string[] {
  const from = [
    ...(claim > 0 ? [`${claim} from the pool`] : []),
    ...(build > 0 ? [`${build} on machines that are built meanwhile`] : []),
  ];
  const others = destroy > drain ? [`${destroy - drain} more of ${version} that serve nothing are destroyed`] : [];
  return [
    ...(create > 0 ? [`${create} of ${version} start, ${from.join(' and ')}`] : []),
    ...(drain > 0 ? [`${drain} of ${version} drain and are destroyed`] : []),
    ...(drain > 0 && destroy < drain ? [`${drain - destroy} of them later`] : []),
    ...others,
    ...(undo > 0 ? [`${undo} of ${version} stay at weight 0 for undo`] : []),
  ];
}

function timeWords(seconds: number | null, unmeasured: readonly string[], measured: Forecast['measured']): string {
  const known = measured.map((one) => `${one.what} ${one.seconds} s (median of ${one.of})`).join(', ');
  if (seconds !== null) return measured.length === 0 ? '' : `time: about ${seconds} s; measured here: ${known}`;
  if (unmeasured.length === 0) return '';
  return `time: not measured yet: ${unmeasured.join(', ')}${known && `; measured: ${known}`}`;
}

const mostSteps = 30;

/** What comes after what. Times are only shown where all were measured. */
function renderSteps({ order, seconds }: Forecast, color: boolean): string {
  if (order.length === 0) return '';
  const lines = order.slice(0, mostSteps).map(({ at, kind, what, count, reason }) => {
    const when = seconds === null ? '' : `${at.toFixed(1).padStart(7)} s  `;
    const subject = count > 1 ? `${count} x ${what}` : what;
    return `  ${when}${paint(color, 'cyan', kind.padEnd(9))} ${subject}: ${reason.split('\n')[0]}`;
  });
  const more = order.length > mostSteps ? [`  and ${order.length - mostSteps} more (--json has all)`] : [];
  return [paint(color, 'bold', 'In this order, if all goes well'), ...lines, ...more].join('\n');
}

const effectStyles = { refuses: 'red', stops: 'red', waits: 'yellow', checks: 'dim' } as const;

function renderGuards(guards: readonly Guard[], color: boolean): string {
  if (guards.length === 0) return '';
  const lines = guards.map(
    ({ guard, effect, why, try: next }) =>
      `  ${paint(color, effectStyles[effect], effect.padEnd(9))} ${guard}: ${why}${next && `\n            try: ${next}`}`,
  );
  return [paint(color, 'bold', 'Guards'), ...lines].join('\n');
}

/** What the declaration changes: a line a service and version that differs; empty where nothing does. */
export function renderDiff(diff: EnvironmentDiff, color: boolean): string {
  const lines = [
    ...diff.settings.map((name) => `${paint(color, 'yellow', '~')} ${name} changes`),
    ...diff.services.filter(({ change }) => change !== 'same').flatMap((service) => serviceLines(service, color)),
  ];
  return lines.join('\n');
}

const marks = { added: ['green', '+'], removed: ['red', '-'], changed: ['yellow', '~'], same: ['dim', ' '] } as const;

function serviceLines(service: ServiceDiff, color: boolean): string[] {
  const [style, sign] = marks[service.change];
  const settings = service.settings.length > 0 ? ` (${service.settings.join(', ')})` : '';
  return [
    `${paint(color, style, sign)} ${service.service}${settings}`,
    ...service.versions
      .filter(({ change }) => change !== 'same')
      .map((version) => {
        const [versionStyle, versionSign] = marks[version.change];
        const facts = [
          version.countBefore === version.countAfter ? '' : `count ${version.countBefore} -> ${version.countAfter}`,
          version.weightBefore === version.weightAfter
            ? ''
            : `weight ${version.weightBefore ?? '-'} -> ${version.weightAfter ?? '-'}`,
          version.change === 'changed' && version.digestChanged ? 'what it runs' : '',
        ].filter((fact) => fact !== '');
        return `  ${paint(color, versionStyle, versionSign)} ${version.version}  ${facts.join(', ')}`;
      }),
  ];
}
