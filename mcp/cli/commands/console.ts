/** `mcp machines console`: what a machine, its agent and its service said, also for a while after the machine's end. */

import { systemClock } from '../../../registrar/system-clock.ts';
import { McpError } from '../../../specs/errors.ts';
import type { ConsolePart } from '../../../vm-factory/provider.ts';
import { type LocalProvider, machineProvider } from '../../local/provider.ts';
import { statePaths } from '../../local/state.ts';
import { type ConsoleLine, consoleLines, LineSplitter } from '../../view/console-view.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { paint } from '../output.ts';
import { action, type Register } from './run.ts';

interface ConsoleOptions {
  follow?: boolean;
  lines: number;
}

export const registerConsole: Register = (program, interrupted) => {
  program.commands
    .find((command) => command.name() === 'machines')
    ?.command('console')
    .description('show what a machine, its agent and its service said, also for a while after its end')
    .argument('<id>', "the machine's id, or how it begins")
    .option('--follow', 'go on showing new lines until Ctrl-C or the end of the machine')
    .option('--lines <n>', 'at most this many of the lines that are there', wholeNumber(0, 100_000), 100)
    .action(action<ConsoleOptions>(interrupted, showConsole));
};

async function showConsole(context: Context, options: ConsoleOptions, id = ''): Promise<undefined> {
  const provider = machineProvider(statePaths(context.stateDir), context.local());
  try {
    const machine = await findMachine(provider, id, context.signal);
    const part = await provider.console(machine, null, context.signal);
    if (!part) throw unknownMachine(id);
    const splitter = new LineSplitter();
    const lines = options.follow ? splitter.take(part.text) : consoleLines(part.text);
    const chosen = options.lines === 0 ? [] : lines.slice(-options.lines);
    if (context.json && !options.follow) context.printJson({ machine, lines: chosen });
    else show(chosen, context);
    if (options.follow) await follow(provider, machine, part, splitter, context);
    return undefined;
  } finally {
    await provider.close();
  }
}

/** Errors: USAGE_MACHINE (none, or more than one). */
async function findMachine(provider: LocalProvider, id: string, signal: AbortSignal): Promise<string> {
  const living = (await provider.list(signal)).map(({ uuid }) => uuid);
  const all = [...new Set([...living, ...(await provider.buried())])];
  const found = all.includes(id) ? [id] : all.filter((uuid) => uuid.startsWith(id));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) throw unknownMachine(id);
  throw new McpError('USAGE_MACHINE', `${found.length} machines begin with ${id}`, {
    hint: `Give more of the id: ${found.slice(0, 5).join(', ')}.`,
    details: { machines: found },
  });
}

function unknownMachine(id: string): McpError {
  return new McpError('USAGE_MACHINE', `no console is kept of a machine ${JSON.stringify(id)}`, {
    hint: 'See `mcp machines`, and `mcp events --machine ID` for those that are no more; the newest twenty consoles of those are kept.',
  });
}

const lookMs = 300;

async function follow(
  provider: LocalProvider,
  machine: string,
  first: ConsolePart,
  splitter: LineSplitter,
  context: Context,
): Promise<void> {
  for (let part: ConsolePart | null = first; part && !context.signal.aborted; ) {
    const ended = !(await provider.list()).some(({ uuid }) => uuid === machine);
    part = await provider.console(machine, part.cursor);
    show(splitter.take(part?.text ?? ''), context);
    if (ended) return;
    await systemClock.sleep(lookMs, context.signal).catch(() => {});
  }
}

const styles = { agent: 'cyan', service: 'green', machine: 'dim' } as const;

function show(lines: readonly ConsoleLine[], context: Context): void {
  for (const { from, text } of lines) {
    if (context.json) context.print(JSON.stringify({ from, text }));
    else context.print(`${paint(context.color, styles[from], from.padEnd(8))} ${text}`);
  }
}
