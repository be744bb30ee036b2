/** `mcp upgrade` and `mcp rollback`: another version in place of the one that runs, and back. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { parseDuration } from '../../../specs/duration.ts';
import type { RolloutSettings, Share } from '../../../specs/nouns.ts';
import { readWorld } from '../../control/read-status.ts';
import { rollback, upgrade, type VersionChange } from '../../declare/change-version.ts';
import { type VersionWords, versionToRun } from '../../declare/version-to-run.ts';
import { defaultImageOf, readState, statePaths } from '../../local/state.ts';
import { namesOf } from '../../rollout/sides.ts';
import type { Context } from '../context.ts';
import { followRollout, whatNext } from '../follow-rollout.ts';
import { wholeNumber } from '../numbers.ts';
import { exitCodes } from '../output.ts';
import { renderRollout } from '../render-rollout.ts';
import { action, type Register } from './run.ts';

export interface FollowOptions {
  reason?: string;
  wait?: boolean;
  detach?: boolean;
  timeout: number;
}

interface UpgradeOptions extends VersionWords, FollowOptions {
  to: string;
  surge?: Share;
  unavailable?: Share;
  batch?: Share;
  canary?: Share;
  minHealthy?: number;
  healthyDeadline?: number;
  progressDeadline?: number;
  bake?: number;
  undo?: number;
  pauseAt?: RolloutSettings['pauses'];
  maxFailures?: number;
  autoRollback?: boolean;
  analysis?: boolean;
  allowBreaking?: string;
}

export const registerUpgrade: Register = (program, interrupted) => {
  const command = program
    .command('upgrade')
    .description('replace the version that runs by another one, step by step, and back by itself if that fails')
    .argument('<service>', 'name of the service')
    .requiredOption('--to <version>', 'version to run: one that is declared, or that is described by the options below')
    .option('-f, --file <yaml>', 'environment file that describes the version')
    .option('--artifact <path>', 'directory, or tar, or single file to run it from')
    .option('--command <words>', 'what to run: words, or a JSON list where they hold spaces', words)
    .option('--port <n>', 'port it listens on', wholeNumber(1, 65_535))
    .option('--env <NAME=value...>', 'environment variables beside those of the version that runs')
    .option('--surge <share>', 'instances beyond the count meanwhile, such as 1 or 25%', share)
    .option('--unavailable <share>', 'instances that may be missing meanwhile', share)
    .option('--batch <share>', 'new instances at a time', share)
    .option('--canary <share>', 'new instances that go first; 0: none', share)
    .option('--pause-at <at:how...>', 'hold once so many count: 1:promote, or 50%:10m', pauses)
    .option('--min-healthy <duration>', 'how long a new instance must have served before it counts', duration)
    .option('--healthy-deadline <duration>', 'how long a new instance may take until it serves', duration)
    .option('--progress-deadline <duration>', 'how long nothing may move', duration)
    .option('--bake <duration>', 'how long all are watched at the end', duration)
    .option('--undo <duration>', 'how long the old ones are kept afterwards; 0s: not at all', duration)
    .option('--max-failures <n>', 'new instances that may fail', wholeNumber(0, 1000))
    .option('--no-auto-rollback', 'hold when it fails, and do not go back')
    .option('--allow-breaking <reason>', 'why its document may break callers of the one that runs')
    .option('--no-analysis', "do not judge it by the gateway's figures");
  following(command).action(
    action<UpgradeOptions>(interrupted, (context, options, service = '') =>
      context.withRegistry((client) => runUpgrade(context, client, options, service)),
    ),
  );
};

export const registerRollback: Register = (program, interrupted) => {
  const command = program
    .command('rollback')
    .description('back to the version that ran before: at once while its machines are kept, else step by step')
    .argument('<service>', 'name of the service');
  following(command).action(
    action<FollowOptions>(interrupted, (context, options, service = '') =>
      context.withRegistry(async (client) => {
        const change = await rollback(client, service, author(context, options));
        return follow(context, client, service, change, options);
      }),
    ),
  );
};

/** Adds the options of every command that begins or ends a rollout. */
export function following(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for the history')
    .option('--no-wait', 'do not wait for its end')
    .option('--detach', 'the same as --no-wait')
    .option('--timeout <seconds>', 'longest wait; the rollout goes on after it', wholeNumber(1, 604_800), 86_400);
}

async function runUpgrade(context: Context, client: RegistryClient, options: UpgradeOptions, service: string) {
  const { registry } = await readWorld(client, context.reading());
  const version = await versionToRun(registry, service, options.to, options, {
    artifacts: statePaths(context.stateDir).artifacts,
    defaultImage: defaultImageOf(readState(context.stateDir) ?? { provider: 'process' }),
    at: (path) => resolve(path),
  });
  const change = await upgrade(client, registry, service, version, settingsOf(options), author(context, options));
  return follow(context, client, service, change, options);
}

/** Only what was said. */
function settingsOf(options: UpgradeOptions): Partial<RolloutSettings> {
  const { surge, unavailable, batch, canary, minHealthy, healthyDeadline, progressDeadline, bake, undo } = options;
  const all: Partial<RolloutSettings> = {
    surge,
    unavailable,
    batch,
    canary,
    minHealthyMs: minHealthy,
    healthyDeadlineMs: healthyDeadline,
    progressDeadlineMs: progressDeadline,
    bakeMs: bake,
    undoMs: undo,
    pauses: options.pauseAt,
    maxFailures: options.maxFailures,
    autoRollback: options.autoRollback === false ? false : undefined,
    analysis: options.analysis === false ? null : undefined,
    allowBreaking: options.allowBreaking,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function author(context: Context, { reason = '' }: FollowOptions) {
  return { author: context.actor, reason, at: systemClock.now() };
}

/** Tells what was begun and, unless told not to, follows it: exit 1 where it did not come to its end. */
export async function follow(
  context: Context,
  client: RegistryClient,
  service: string,
  { rollout, generation }: VersionChange,
  options: FollowOptions,
): Promise<number | undefined> {
  if (!rollout) {
    if (context.json) context.printJson({ generation, rollout: null });
    else context.print(`${service} runs that already.`);
    return undefined;
  }
  const back = rollout.phase === 'reverting';
  context.note(
    `Generation ${generation} declared: ${service} ${back ? 'goes back to' : `${namesOf(rollout.from)} ->`} ${namesOf(back ? rollout.from : rollout.to)}.`,
  );
  if (options.wait === false || options.detach) {
    if (context.json) context.printJson({ generation, rollout });
    else context.print(`It goes on in the background. ${whatNext(service)}`);
    return undefined;
  }
  const view = await followRollout(context, client, service, options.timeout * 1000);
  const wanted = back ? 'reverted' : 'done';
  if (context.json) context.printJson({ generation, rollout: view });
  else if (view.phase === wanted)
    context.print(`${service} runs ${namesOf(back ? view.from : view.to)}${back ? ' again' : ''}.`);
  else context.print(renderRollout(view, systemClock.now(), context.color));
  return view.phase === wanted ? undefined : exitCodes.failed;
}

/** `node server.js`, or `["sh", "-c", "a b"]`. */
export function words(text: string): string[] {
  if (!text.startsWith('[')) return text.split(/\s+/).filter((word) => word !== '');
  const list = parseList(text);
  if (list) return list;
  throw new InvalidArgumentError('Give words, or a JSON list of texts.');
}

function parseList(text: string): string[] | null {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.length > 0 && list.every((word) => typeof word === 'string') ? list : null;
  } catch {
    return null;
  }
}

function share(text: string): Share {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  if (/^(\d|[1-9]\d|100)%$/.test(text)) return text;
  throw new InvalidArgumentError('Give a number of instances, or a percentage such as 25%.');
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms > 604_800_000)
    throw new InvalidArgumentError('Give a duration such as 500ms, 10s, 5m or 2h.');
  return ms;
}

function pauses(text: string, before: RolloutSettings['pauses'] = []): RolloutSettings['pauses'] {
  const [at = '', how = ''] = text.split(':');
  return [...before, { at: share(at), forMs: how === 'promote' ? null : duration(how) }];
}
