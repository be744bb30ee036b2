/** `mcp down`: stops and removes the local environment. */
import { signalProcess } from '../../../registrar/process-identity.ts';
import { McpError } from '../../../specs/errors.ts';
import { type DownReport, down } from '../../local/down.ts';
import { holdFolder } from '../../local/folder-lock.ts';
import type { Context } from '../context.ts';
import { action, type Register } from './run.ts';

/** Longer than any `up` takes to end when interrupted, and any other `down`. */
const busyMs = 60_000;

interface Options {
  keep?: boolean;
}

export const registerDown: Register = (program, interrupted) => {
  program
    .command('down')
    .description('stop the local environment and remove its folder; touches nothing else')
    .option('--keep', 'stop everything but keep the folder: `mcp up` goes on from it')
    .action(action<Options>(interrupted, run));
};

async function run(context: Context, options: Options): Promise<undefined> {
  const report = await takeDown(context, { keep: options.keep ?? false });
  if (context.json) context.printJson(report);
  else if (report.stopped.length === 0 && !report.removed) context.print(`Nothing runs in ${context.stateDir}.`);
  else
    context.print(
      `Stopped ${report.stopped.length} daemons and ${report.machines} machines${report.removed ? `, removed ${context.stateDir}` : ''}.`,
    );
  return undefined;
}

/** Stops everything as soon as the folder is free: an `up` that is at work on it is interrupted, another `down` awaited. */
export async function takeDown(context: Context, { keep }: { keep: boolean }): Promise<DownReport> {
  const busy = new McpError('STATE_BUSY', `another mcp works on ${context.stateDir} and does not end`, {
    hint: 'Look for it with ps, and end it.',
  });
  const patience = new AbortController();
  const outOfPatience = setTimeout(() => patience.abort(busy), busyMs);
  const release = await holdFolder(context.stateDir, {
    // Not the command's own signal: Ctrl-C is what ends `up --foreground`, and must still take it down.
    signal: patience.signal,
    onBusy: (holder) => {
      if (!holder?.argv.includes('up')) return;
      context.note('stopping mcp up');
      signalProcess(holder.identity, 'SIGTERM');
    },
  }).finally(() => clearTimeout(outOfPatience));
  try {
    return await down(context.stateDir, (what) => context.note(`stopping ${what}`), { keep });
  } finally {
    release();
  }
}
