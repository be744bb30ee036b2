/** A preview and a difference of declarations as people read them. */
import type { EnvironmentDiff, ServiceDiff } from '../../specs/compare-environments.ts';
import type { Action, Plan } from '../plan/plan.ts';
import type { Preview } from '../view/preview.ts';
import { paint, table } from './output.ts';

/** What would be done: a row a version that changes, then the machines it takes. */
export function renderPreview(preview: Preview, color: boolean): string {
  const rows = preview.rows.map((row) => [
    row.start > 0 ? paint(color, 'green', '+') : row.stop > 0 ? paint(color, 'red', '-') : ' ',
    row.service,
    row.version,
    String(row.desired),
    String(row.keep),
    row.start > 0 ? paint(color, 'green', `+${row.start}`) : '0',
    row.stop > 0 ? paint(color, 'red', `-${row.stop}`) : '0',
    row.reason,
  ]);
  const head = ['', 'SERVICE', 'VERSION', 'DESIRED', 'KEEP', 'START', 'STOP', 'WHY'];
  const machines = `machines: ${preview.poolHits} from the pool, ${preview.coldBuilds} to build, ${preview.peakMachines} at the peak`;
  return `${table([head, ...rows], color)}\n\n${machines}`;
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

/** The planner's first steps with their reasons, and what waits for them. */
export function renderSteps(plan: Plan, color: boolean): string {
  const lines = plan.actions.map(
    (action) => `  ${paint(color, 'cyan', action.kind.padEnd(9))} ${subject(action)}: ${action.reason}`,
  );
  const waiting = plan.waiting.map(({ what, why }) => `  ${paint(color, 'dim', 'waits'.padEnd(9))} ${what}: ${why}`);
  const alarms = plan.alarms.map(({ code, message }) => `  ${paint(color, 'red', code)} ${message}`);
  return [paint(color, 'bold', "The controller's first steps"), ...lines, ...waiting, ...alarms].join('\n');
}

function subject(action: Action): string {
  if (action.kind === 'configure' || action.kind === 'roll') return action.service;
  const machine = action.kind === 'create' ? 'a machine' : `machine ${action.uuid.slice(0, 8)}`;
  return 'service' in action ? `${machine} for ${action.service}@${action.version}` : machine;
}
