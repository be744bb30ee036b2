/** Versions side by side as people read them. */
import type { AbReport, Comparison, Finding, SideFigures, SideView } from '../view/ab-report.ts';
import { paint, type Style, table } from './output.ts';
import { mirrorLines } from './render-mirror.ts';

/** What `mcp ab SERVICE` shows. */
export function renderSides(service: string, sides: readonly SideView[], color: boolean): string {
  const rows = sides.map((side) => [side.version, weightOf(side), percent(side.share), `${side.live}/${side.desired}`]);
  const head = `${paint(color, 'bold', service)}  ${sides.length} ${sides.length === 1 ? 'version runs' : 'versions side by side'}`;
  return `${head}\n${table([['VERSION', 'WEIGHT', 'SHARE', 'LIVE'], ...rows], color)}`;
}

/** What `mcp ab SERVICE --report` shows. */
export function renderReport(report: AbReport, color: boolean): string {
  const total = report.versions.reduce((sum, { requests }) => sum + requests, 0);
  const rows = report.versions.map((one) => [
    one.version,
    weightOf(one),
    `${one.live}/${one.desired}`,
    `${one.requests}${total > 0 ? ` (${percent(one.requests / total)})` : ''}`,
    `${one.errors}`,
    rateOf(one),
    ...[one.latency.p50, one.latency.p95, one.latency.p99].map((bound) => atMost(one, bound)),
  ]);
  const heads = ['VERSION', 'WEIGHT', 'LIVE', 'REQUESTS', 'ERRORS', 'ERROR RATE (95 %)', 'P50', 'P95', 'P99'];
  const since =
    report.since === null
      ? `counted since nginx started: ${report.sinceWhy}`
      : `counted since ${new Date(report.since).toISOString().slice(0, 19).replace('T', ' ')}Z, when these weights held`;
  return [
    `${paint(color, 'bold', report.service)}  ${since}`,
    table([heads, ...rows], color),
    ...report.comparisons.map((one) => `\n${comparisonText(one, report.versions, color)}`),
    ...report.mirrored.flatMap(({ version, copies }) => ['', ...mirrorLines(report.service, version, copies, color)]),
  ].join('\n');
}

function comparisonText(one: Comparison, versions: readonly SideFigures[], color: boolean): string {
  const title = paint(color, 'bold', `${one.version} against ${one.against}`);
  const { errors, slow, minRequests } = one;
  if (!errors) {
    const requests = (name: string) => versions.find(({ version }) => version === name)?.requests ?? 0;
    const had = `${requests(one.version)} and ${requests(one.against)}`;
    return `${title}\n  too few requests to tell: ${had}; each needs ${minRequests}`;
  }
  const latency = slow
    ? `${said(slow, 'slower', 'faster', color)}: ${percent(slow.share)} took more than ${slow.beyondMs} ms, of ${one.against} ${percent(slow.shareOfOther)}; ${interval(slow)}`
    : 'can not be compared: nothing was counted by time, or nearly all were slower than 10 s';
  return [
    title,
    `  errors   ${said(errors, 'more', 'fewer', color)}: ${percent(errors.share)}, of ${one.against} ${percent(errors.shareOfOther)}; ${interval(errors)}`,
    `  latency  ${latency}`,
  ].join('\n');
}

function said({ finding }: Finding, more: string, fewer: string, color: boolean): string {
  const styles: Record<Finding['finding'], Style> = { more: 'red', fewer: 'green', unclear: 'dim' };
  const words = { more, fewer, unclear: 'no difference seen' };
  return paint(color, styles[finding], words[finding]);
}

function interval({ low, high }: Finding): string {
  return `the difference is ${percent(low)} to ${percent(high)} (95 %)`;
}

function weightOf({ weight }: SideView): string {
  return weight === null ? '-' : String(weight);
}

function rateOf({ errorRate }: SideFigures): string {
  if (errorRate === null) return '-';
  return `${percent(errorRate.share)} (${percent(errorRate.low)} to ${percent(errorRate.high)})`;
}

function atMost({ requests }: SideFigures, bound: number | null): string {
  if (bound !== null) return `<= ${bound} ms`;
  return requests > 0 ? '> 10 s' : '-';
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
