/** `mcp gateway key`: an API key for a client, and what of it is declared. */
import { createHash, randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { action } from './run.ts';

/** Adds it below `mcp gateway`. */
export function addKey(gateway: Command, interrupted: Parameters<typeof action>[0]): void {
  gateway
    .command('key')
    .description(
      'make an API key, and the hash of it that the environment file declares; the key itself is kept nowhere',
    )
    .action(action(interrupted, makeKey));
}

/** 256 random bits: so many that its hash tells nothing of it, salted or not. */
async function makeKey(context: Context): Promise<undefined> {
  const key = randomBytes(32).toString('base64url');
  const sha256 = `sha256:${createHash('sha256').update(key).digest('hex')}`;
  if (context.json) context.printJson({ key, sha256 });
  else context.print(`key      ${key}\ndeclare  ${sha256}\n\nGive the key to its client; it is not shown again.`);
  return undefined;
}
