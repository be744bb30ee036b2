/** `mcp down`: stops and removes the local environment. */
import { down } from '../../local/down.ts';
import type { Context } from '../context.ts';
import { action, type Register } from './run.ts';

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
  const report = await down(context.stateDir, (what) => context.note(`stopping ${what}`), {
    keep: options.keep ?? false,
  });
  if (context.json) context.printJson(report);
  else if (report.stopped.length === 0 && !report.removed) context.print(`Nothing runs in ${context.stateDir}.`);
  else
    context.print(
      `Stopped ${report.stopped.length} daemons and ${report.machines} machines${report.removed ? `, removed ${context.stateDir}` : ''}.`,
    );
  return undefined;
}
