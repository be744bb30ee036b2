/** `mcp rollouts`, `promote` and `abort`: rollouts as they are, and what to say to one under way. */
import type { Command } from 'commander';
import type { RolloutRecord } from '../../../registrar/rollout-records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { readCalls } from '../../control/read-calls.ts';
import { readWorld } from '../../control/read-status.ts';
import { abort, found, noRollout } from '../../declare/change-version.ts';
import { steer } from '../../declare/steer.ts';
import { pauseRollout, promoteRollout, resumeRollout } from '../../rollout/steer-rollout.ts';
import type { Cause } from '../../rollout/transitions.ts';
import { rolloutViews } from '../../view/rollout-view.ts';
import type { Context } from '../context.ts';
import { renderRollout, renderRollouts } from '../render-rollout.ts';
import { action, type Register } from './run.ts';
import { author, type FollowOptions, follow, following } from './upgrade.ts';

export const registerRollouts: Register = (program, interrupted) => {
  const rollouts = program
    .command('rollouts')
    .description('show the last rollout of every service, or all of one; pause one under way, or resume it')
    .argument('[service]', 'name of the service')
    .option('--json', 'print the result as one JSON document')
    .action(action(interrupted, (context, _options, service) => show(context, service)));
  const steering = (name: string, description: string, what: 'paused' | 'resumed', change: typeof pauseRollout) =>
    reasoned(rollouts.command(name).description(description)).action(
      action<{ reason?: string }>(interrupted, (context, { reason = '' }, service = '') =>
        say(context, service, what, reason, change),
      ),
    );
  steering('pause', 'hold a rollout where it is until it is resumed', 'paused', pauseRollout);
  steering('resume', 'let a paused rollout go on', 'resumed', resumeRollout);
};

export const registerPromote: Register = (program, interrupted) => {
  reasoned(program.command('promote').description('let a rollout go on that holds for a person'))
    .option('--all', 'also past every later pause, and without any more judging')
    .action(
      action<{ reason?: string; all?: boolean }>(interrupted, (context, { reason = '', all = false }, service = '') =>
        say(context, service, 'promoted', reason, (record, cause) => promoteRollout(record, all, cause)),
      ),
    );
};

export const registerAbort: Register = (program, interrupted) => {
  const command = program
    .command('abort')
    .description('take a rollout under way back to what ran before')
    .argument('<service>', 'name of the service');
  following(command).action(
    action<FollowOptions>(interrupted, (context, options, service = '') =>
      context.withRegistry(async (client) => {
        const change = await abort(client, service, author(context, options));
        return follow(context, client, service, change, options);
      }),
    ),
  );
};

function reasoned(command: Command): Command {
  return command
    .argument('<service>', 'name of the service')
    .option('--reason <text>', 'why, for everyone who wonders');
}

async function show(context: Context, service: string | undefined): Promise<undefined> {
  const { registry, controller } = await context.withRegistry((client) => readWorld(client, context.reading()));
  const now = systemClock.now();
  const views = rolloutViews(registry, controller?.waiting ?? [], now);
  if (service === undefined) {
    if (context.json) context.printJson({ rollouts: views });
    else context.print(renderRollouts(views, now, context.color));
    return undefined;
  }
  found(registry, service);
  const view = views.find((one) => one.service === service);
  if (!view) throw noRollout(service);
  const lost = view.gate?.watched ?? [];
  const calls = lost.length > 0 ? await readCalls(registry.gateways, service, lost, context.signal) : null;
  if (context.json) context.printJson({ ...view, calls });
  else context.print(renderRollout(view, now, context.color, calls));
  return undefined;
}

async function say(
  context: Context,
  service: string,
  what: 'paused' | 'resumed' | 'promoted',
  reason: string,
  change: (record: RolloutRecord, cause: Cause) => RolloutRecord,
): Promise<undefined> {
  const by = { author: context.actor, reason, at: systemClock.now() };
  const record = await context.withRegistry((client) => steer(client, service, what, by, change));
  if (context.json) context.printJson(record);
  else context.print(`The rollout of ${service} is ${what}.`);
  return undefined;
}
