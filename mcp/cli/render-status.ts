/** The status as people read it: a table a service, the pool, the gateways, and what is being waited for. */
import type { ForeignView, StatusView, VersionView } from '../view/status-view.ts';
import { templateWords } from '../view/why-machines.ts';
import { indented, paint, table } from './output.ts';

/** The text of `mcp status`. */
export function renderStatus(status: StatusView, color: boolean): string {
  const blocks = [head(status, color), services(status, color), footer(status, color)];
  if (status.alarms.length > 0)
    blocks.push(
      list(
        'Alarms',
        status.alarms.map(({ code, message }) => `${paint(color, 'red', code)} ${indented(message, 4)}`),
        color,
      ),
    );
  if (status.waiting.length > 0)
    blocks.push(
      list(
        'Waiting',
        status.waiting.map(({ what, why }) => `${what}: ${indented(why, 4)}`),
        color,
      ),
    );
  return blocks.join('\n\n');
}

function head(status: StatusView, color: boolean): string {
  const title = paint(color, 'bold', status.environment ?? 'nothing declared');
  const leader = status.leader
    ? `led by ${status.leader} (epoch ${status.epoch})`
    : paint(color, 'yellow', 'no leader');
  const lines = [`${title}  generation ${status.generation ?? '-'}  ${leader}`];
  if (status.suspended) {
    lines.push(paint(color, ['yellow', 'bold'], `SUSPENDED by ${status.suspended.by}: ${status.suspended.reason}`));
  }
  return lines.join('\n');
}

function services(status: StatusView, color: boolean): string {
  const rows = status.services.flatMap((service) => {
    const own = versionRows(service.versions, color);
    return [...own, ...(service.foreign ?? []).map((foreign) => foreignRow(foreign, color))].map((cells, at) => {
      return [at === 0 ? service.name : '', at === 0 ? service.route : '', ...cells];
    });
  });
  if (rows.length === 0) return 'No services are declared.';
  return table([['SERVICE', 'ROUTE', 'VERSION', 'LIVE', 'WEIGHT', 'INSTANCES'], ...rows], color);
}

/** Those that earlier upgrades left declared for a way back are only counted. */
function versionRows(versions: readonly VersionView[], color: boolean): string[][] {
  const used = versions.filter((version) => version.desired > 0 || version.instances.length > 0);
  const shown = used.length > 0 ? used : versions;
  const rows = shown.map((version) => [
    version.version,
    counts(version, color),
    version.weight === null ? '-' : String(version.weight),
    instances(version, color),
  ]);
  const rest = versions.length - shown.length;
  return rest > 0 ? [...rows, [`and ${rest} at 0`, '', '', '']] : rows;
}

function counts(version: VersionView, color: boolean): string {
  const style = version.live === version.desired ? 'green' : version.live < version.desired ? 'red' : 'yellow';
  return paint(color, style, `${version.live}/${version.desired}`);
}

/** Nobody here declares how many these are. */
function foreignRow({ version, dialect, instances: all, routed, out, problem }: ForeignView, color: boolean): string[] {
  const style = problem !== '' ? 'yellow' : routed > 0 ? 'green' : 'red';
  const rest = [...out.map((one) => `(${one})`), ...(problem === '' ? [] : [paint(color, 'yellow', problem)])];
  return [version, paint(color, style, `${routed}`), '-', [`${all} by ${dialect}`, ...rest].join(' ')];
}

const mostShown = 6;

function instances(version: VersionView, color: boolean): string {
  const shown = version.instances.slice(0, mostShown).map(({ machine, state }) => {
    const id = machine.slice(0, 8);
    return state === 'up' ? id : paint(color, state === 'failed' ? 'red' : 'yellow', `${id} (${state})`);
  });
  const more = version.instances.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(' ');
}

function footer(status: StatusView, color: boolean): string {
  const { ready, building, target } = status.pool;
  const pool = `pool      ${ready} of ${target} ready${building > 0 ? `, ${building} building` : ''}`;
  const gateways = status.gateways.map((gateway) => {
    const holding = gateway.holding ? `  ${paint(color, 'yellow', `holding: ${gateway.holding}`)}` : '';
    const alarm = gateway.alarm ? `  ${paint(color, 'yellow', gateway.alarm)}` : '';
    const mode = `${gateway.mode}${gateway.modeReason && `: ${gateway.modeReason}`}`;
    const { tls } = gateway;
    const secure = tls && `  ${tls.url} (certificate until ${new Date(tls.notAfter).toISOString().slice(0, 10)})`;
    return `gateway   ${gateway.id}  ${gateway.url}${secure ?? ''}  generation ${gateway.generation} (${mode})${holding}${alarm}`;
  });
  return [
    pool,
    ...machines(status),
    ...templates(status, color),
    ...(gateways.length > 0 ? gateways : [paint(color, 'yellow', 'gateway   none')]),
  ].join('\n');
}

/** How machines are made here, where the provider has something to tell. */
function machines({ provider }: StatusView): string[] {
  const facts = Object.entries(provider?.facts ?? {}).map(([name, value]) => `${name} ${value}`);
  return provider && facts.length > 0 ? [`machines  ${provider.name}: ${facts.join(', ')}`] : [];
}

/** Only what people must know: a template that is there, or soon, is shown by `mcp pool`. */
function templates({ templates: all }: StatusView, color: boolean): string[] {
  return all
    .filter(({ state }) => state === 'failed' || state === 'impossible')
    .map(({ service, version, state, reason }) => {
      return paint(color, 'yellow', `template  ${service}@${version} ${templateWords(state, reason)}`);
    });
}

function list(title: string, lines: string[], color: boolean): string {
  return [paint(color, 'bold', title), ...lines.map((line) => `  ${line}`)].join('\n');
}
