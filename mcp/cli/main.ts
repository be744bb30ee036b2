/** The `mcp` command: registers every command, runs one, turns errors into words and exit codes. */
import { readFileSync, realpathSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { commands } from './commands/index.ts';
import { errorJson, exitCodeOf, exitCodes, renderError } from './output.ts';

/** The whole command line as a commander program. */
export function makeProgram(): Command {
  const program = new Command('mcp')
    .description('Master Control Program: declared counts made true on virtual machines, behind one gateway.')
    .option('--json', 'print the result as one JSON document')
    .option('--state <dir>', 'folder of the local environment (default: the nearest .mcp, or MCP_STATE)')
    .option('--registry <connect>', 'ZooKeeper connect string with chroot (default: the local one, or MCP_REGISTRY)')
    .option(
      '--auth-file <file>',
      'file with the registry credential user:password (default: the local one, or MCP_AUTH_FILE)',
    )
    .option('--no-color', 'never colour the output')
    .addHelpText(
      'afterAll',
      '\nEvery command also takes --state DIR, --registry CONNECT, --auth-file FILE and --no-color.\n`mcp --version` prints the version.\nExit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 refused by a guard, 4 plan: changes.',
    )
    .showHelpAfterError('(mcp --help lists the commands)')
    .enablePositionalOptions(false)
    .exitOverride();
  const interrupted = interruption();
  for (const register of commands) register(program, interrupted);
  for (const command of allCommands(program)) {
    command.exitOverride();
    const hasJson = command.options.some(({ long }) => long === '--json');
    if (command !== program && command.commands.length === 0 && !hasJson)
      command.option('--json', 'print the result as one JSON document');
  }
  return program;
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return version;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Aborts at the first Ctrl-C or SIGTERM; the second ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new CommanderError(130, 'interrupted', 'interrupted'));
    });
  }
  return controller.signal;
}

/** Runs one command line; resolves to its exit code. */
export async function runCli(argv: string[]): Promise<number> {
  // Alone only: `agent run` has an option of that name, which is the service's.
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${ownVersion()}\n`);
    return exitCodes.done;
  }
  const program = makeProgram();
  try {
    await program.parseAsync(argv, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === 'interrupted') return 130;
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    const json = argv.includes('--json');
    process.stderr.write(
      json ? `${JSON.stringify(errorJson(error))}\n` : `${renderError(error, process.stderr.isTTY === true)}\n`,
    );
    return exitCodeOf(error);
  }
}

if (process.argv[1] && /(^|\/)(main\.ts|mcp\.mjs|mcp)$/.test(realpathSync(process.argv[1]))) {
  // Whoever reads has seen enough, as `| head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await runCli(process.argv.slice(2));
}
