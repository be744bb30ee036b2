/** `mcp gateway log`: the last requests that the gateway of this machine logged. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { McpError } from '../../../specs/errors.ts';
import { statePaths } from '../../local/state.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { action } from './run.ts';

/** Adds it below `mcp gateway`. */
export function addLog(gateway: Command, interrupted: Parameters<typeof action>[0]): void {
  gateway
    .command('log')
    .description("show the last requests of this machine's gateway, a line of JSON each (needs access-log)")
    .option('--lines <n>', 'how many', wholeNumber(1, 100_000), 20)
    .action(action<{ lines: number }>(interrupted, showLog));
}

async function showLog(context: Context, { lines: most }: { lines: number }): Promise<undefined> {
  const path = gatewayPaths(statePaths(context.stateDir).gateway).accessLog;
  const lines = [`${path}.1`, path].flatMap((file) => readLines(file)).slice(-most);
  if (lines.length === 0) {
    throw new McpError('GATEWAY_NO_LOG', "this machine's gateway has logged no request", {
      hint: 'Declare access-log under gateway in the environment file; lines are a second late.',
    });
  }
  if (context.json) context.printJson(lines.map((line) => JSON.parse(line)));
  else context.print(lines.join('\n'));
  return undefined;
}

/** Whole lines; none where there is no such file. */
function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'));
  } catch {
    return [];
  }
}
