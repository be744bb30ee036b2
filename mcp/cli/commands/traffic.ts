/** `mcp gateway traffic`: what the gateways counted, by service version. */
import type { Command } from 'commander';
import { bucketOf, type TrafficReport, type VersionFigures } from '../../../proxy-daemon/version-figures.ts';
import { McpError } from '../../../specs/errors.ts';
import { askTraffic } from '../../control/ask-gateway.ts';
import { readStatus } from '../../control/read-status.ts';
import type { Context } from '../context.ts';
import { table } from '../output.ts';
import { mirrorLines } from '../render-mirror.ts';
import { action } from './run.ts';

/** Adds it below `mcp gateway`. */
export function addTraffic(gateway: Command, interrupted: Parameters<typeof action>[0]): void {
  gateway
    .command('traffic')
    .description('show requests, errors and latency by version, since nginx started')
    .action(action(interrupted, traffic));
}

async function traffic(context: Context): Promise<undefined> {
  const { gateways } = await context.withRegistry((client) => readStatus(client, context.reading()));
  const asked = await Promise.all(gateways.map((gateway) => askTraffic(gateway, context.signal)));
  const reports = asked.filter((report) => report !== null);
  if (reports.length === 0) {
    throw new McpError('GATEWAY_SILENT', 'no gateway answers', { retryable: true, hint: 'Look at mcp status.' });
  }
  if (context.json) context.printJson(reports);
  else context.print(reports.map((report) => render(report, context.color)).join('\n\n'));
  return undefined;
}

function render(report: TrafficReport, color: boolean): string {
  if (report.since === 0) return `${report.gateway}: counts nothing (plain mode, or it has just started)`;
  const rows = report.versions.map((one) => [
    one.service,
    one.version,
    String(one.requests),
    String(one.errors5xx),
    String(one.retries),
    atMost(one, 0.5),
    atMost(one, 0.99),
  ]);
  const heads = ['SERVICE', 'VERSION', 'REQUESTS', '5XX', 'RETRIES', 'P50', 'P99'];
  const since = new Date(report.since).toISOString().slice(0, 19);
  return [
    `${report.gateway}  since ${since}Z`,
    table([heads, ...rows], color),
    ...ownAnswers(report),
    ...report.versions.flatMap(({ service, version, mirrored }) =>
      mirrored ? mirrorLines(service, version, mirrored, color) : [],
    ),
  ].join('\n');
}

function ownAnswers({ own = [] }: TrafficReport): string[] {
  if (own.length === 0) return [];
  const words = own.map(
    ({ service, status, answers }) => `${service === '' ? 'no route' : service} ${status}: ${answers}`,
  );
  return [`refused by the gateway itself: ${words.join(', ')}`];
}

/** The upper bound of the bucket that a share of the requests is within. */
function atMost({ latencyMs }: VersionFigures, share: number): string {
  const bucket = bucketOf(latencyMs, share);
  if (bucket === null) return '-';
  const { bounds } = latencyMs;
  return bounds[bucket] === undefined ? `> ${bounds.at(-1)} ms` : `<= ${bounds[bucket]} ms`;
}
