/** `mcp status` and `mcp watch`: what is declared, what is live, what is being waited for. */

import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { readPicture, readStatus } from '../../control/read-status.ts';
import { isOfRollout } from '../../view/rollout-view.ts';
import { isConverged } from '../../view/status-view.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { renderTree } from '../render-rollout.ts';
import { renderStatus } from '../render-status.ts';
import { action, type Register } from './run.ts';

export const registerStatus: Register = (program, interrupted) => {
  program
    .command('status')
    .description('show services, versions, instances, pool and gateways')
    .action(
      action(interrupted, async (context) => {
        const status = await context.withRegistry((client) => readStatus(client, context.reading()));
        if (context.json) context.printJson(status);
        else context.print(renderStatus(status, context.color));
        return undefined;
      }),
    );
};

interface WatchOptions {
  untilConverged?: boolean;
  timeout?: number;
}

export const registerWatch: Register = (program, interrupted) => {
  program
    .command('watch')
    .description('show the status and the rollouts under way again at every change until Ctrl-C')
    .option('--until-converged', 'end when desired = live and no rollout is under way')
    .option('--timeout <seconds>', 'fail when that takes longer', wholeNumber(1, 86_400))
    .action(
      action<WatchOptions>(interrupted, (context, options) =>
        context.withRegistry((client) => watch(context, client, options)),
      ),
    );
};

/** Changes closer together than this are shown as one. */
const settleMs = 100;

async function watch(context: Context, client: RegistryClient, options: WatchOptions): Promise<number | undefined> {
  const deadline = options.timeout ? AbortSignal.timeout(options.timeout * 1000) : undefined;
  const signal = deadline ? AbortSignal.any([context.signal, deadline]) : context.signal;
  let changed = Promise.withResolvers<void>();
  const handle = await client.addWatch('/', 'persistent-recursive', () => changed.resolve());
  let shown = '';
  try {
    for (;;) {
      changed = Promise.withResolvers();
      const now = systemClock.now();
      const picture = await readPicture(client, now, { ...context.reading(), signal });
      const { rollouts } = picture;
      const still = JSON.stringify({ ...picture, rollouts: rollouts.map((view) => ({ ...view, etaMs: null })) });
      if (still !== shown) show(context, context.json ? JSON.stringify(picture) : renderPicture(picture, now, context));
      shown = still;
      if (options.untilConverged && isConverged(picture) && rollouts.length === 0) return undefined;
      await Promise.race([changed.promise, systemClock.sleep(5000, signal)]);
      await systemClock.sleep(settleMs, signal);
    }
  } catch (error) {
    if (deadline?.aborted) {
      context.note(`not converged after ${options.timeout} s`);
      return 1;
    }
    if (context.signal.aborted) return undefined;
    throw error;
  } finally {
    await handle.close();
  }
}

/** The status, and each rollout under way as `mcp rollouts` shows it: what it waits for is said there. */
function renderPicture(picture: Awaited<ReturnType<typeof readPicture>>, now: number, { color }: Context): string {
  const { rollouts, ...status } = picture;
  const told = new Set<string | undefined>(rollouts.map(({ service }) => service));
  const waiting = status.waiting.filter((one) => !(isOfRollout(one) && told.has(one.service)));
  const rest = { ...status, waiting };
  const trees = rollouts.map((view) => renderTree(view, now, color).join('\n'));
  return [renderStatus(rest, color), ...trees].join('\n\n');
}

/** A terminal is redrawn; elsewhere each change is a block (or, with --json, a line) of its own. */
function show(context: Context, text: string): void {
  if (context.json) process.stdout.write(`${text}\n`);
  else if (process.stdout.isTTY) process.stdout.write(`\x1b[2J\x1b[H${text}\n`);
  else context.print(`${text}\n`);
}
