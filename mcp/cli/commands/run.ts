/** One wrapper for every command's action: makes the context, names the command's options' type once. */
import type { Command } from 'commander';
import { type Context, makeContext } from '../context.ts';

/** Adds a command to the program. */
export type Register = (program: Command, interrupted: AbortSignal) => void;

/**
 * An action for commander: `body` gets the context, the options and the arguments. What it returns, if anything, is the
 * exit code.
 */
export function action<Options>(
  interrupted: AbortSignal,
  body: (context: Context, options: Options, ...words: string[]) => Promise<number | undefined>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const words = args.slice(0, -2) as string[];
    const code = await body(makeContext(command, interrupted), command.opts() as Options, ...words);
    if (code !== undefined) process.exitCode = code;
  };
}
