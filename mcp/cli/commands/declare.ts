/** `mcp apply` and `mcp scale`: what is declared, and waiting until it is true. */

import { readDeclared, readHistory } from '../../../registrar/recipes/desired-document.ts';
import { readRollouts } from '../../../registrar/recipes/rollout-documents.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import type { RolloutRecord } from '../../../registrar/rollout-records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { isMcpError, McpError } from '../../../specs/errors.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { readStatus, readWorld } from '../../control/read-status.ts';
import { type Applied, applyEnvironment } from '../../declare/apply-environment.ts';
import { loadEnvironment } from '../../declare/load-environment.ts';
import { removeInstance } from '../../declare/remove-instance.ts';
import { readPlan, requireSamePlan } from '../../declare/saved-plan.ts';
import { largestCount, scaled } from '../../declare/scale.ts';
import { unheeded } from '../../declare/unheeded.ts';
import { whatWaits } from '../../declare/what-waits.ts';
import { defaultImageOf, readState, statePaths } from '../../local/state.ts';
import { isConverged, type StatusView } from '../../view/status-view.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { exitCodes, paint } from '../output.ts';
import { planNow } from '../plan-now.ts';
import { makeProgress } from '../progress.ts';
import { renderDiff } from '../render-plan.ts';
import { areDone, areOver, renderOrder, renderOutcome, stagedChanges } from '../staged-apply.ts';
import { action, type Register } from './run.ts';

export interface FileOptions {
  file: string;
  allowEmpty?: boolean;
}

export interface DeclareOptions {
  yes?: boolean;
  reason?: string;
  wait?: boolean;
  timeout: number;
}

interface ApplyOptions extends DeclareOptions {
  file?: string;
  allowEmpty?: boolean;
  checkIndex?: number;
  supersede?: boolean;
  generation?: number;
  plan?: string;
}

export const registerApply: Register = (program, interrupted) => {
  program
    .command('apply')
    .description('declare the environment of a file, what a saved plan says, or what was declared before')
    .argument(
      '[plan]',
      'instead of a file: a plan that mcp plan --out saved; refused where it is not the plan any more',
    )
    .option('-f, --file <yaml>', 'environment file')
    .option('--plan <plan>', 'the same as the argument')
    .option('--generation <n>', 'instead of a file: declare that generation again', wholeNumber(1, 999_999_999))
    .option('--allow-empty', 'accept an environment without services')
    .option(
      '--check-index <n>',
      'refuse if another generation than the one that was planned from is declared by now',
      wholeNumber(0, 999_999_999),
    )
    .option('--supersede', 'end the rollouts of the services that it changes')
    .option('--yes', 'take away more than half of a service if that is what the file says')
    .option('--reason <text>', 'why, for the history')
    .option('--no-wait', 'do not wait until desired = live')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 86_400), 300)
    .action(action<ApplyOptions>(interrupted, (context, options, argument) => apply(context, options, argument)));
};

async function apply(
  context: Context,
  options: ApplyOptions,
  argument: string | undefined,
): Promise<number | undefined> {
  const { file, generation, allowEmpty } = options;
  const plan = options.plan ?? argument;
  const sources = [file, generation, options.plan, argument].filter((one) => one !== undefined);
  if (sources.length !== 1) {
    throw new McpError('USAGE_BAD_OPTION', 'apply wants one of a file, a saved plan and a generation', {
      hint: 'mcp apply -f FILE, mcp apply PLAN, or mcp apply --generation N (mcp history lists them).',
    });
  }
  if (plan !== undefined && options.checkIndex !== undefined) {
    throw new McpError('USAGE_BAD_OPTION', '--check-index does not go with a saved plan, which has its own', {
      hint: `mcp apply ${plan}`,
    });
  }
  if (plan !== undefined) return applyPlan(context, options, plan);
  const fromFile = file === undefined ? null : await loadFile(context, { file, allowEmpty });
  return context.withRegistry(async (client) => {
    const environment = fromFile ?? (await generationOf(client, generation ?? 0));
    warn(context, await unheededNow(context, client, environment));
    const what = fromFile ? `apply -f ${file}` : `apply --generation ${generation}`;
    return declareAll(context, client, environment, options, { what, index: options.checkIndex });
  });
}

/** No reason to refuse: what can't be read may be just what the apply repairs. */
async function unheededNow(context: Context, client: RegistryClient, environment: Environment): Promise<string> {
  try {
    const { registry } = await readWorld(client, context.reading());
    return unheeded(environment, registry.declared?.record.environment, registry.gateways);
  } catch (error) {
    if (isMcpError(error, 'RECORD_INVALID')) return '';
    throw error;
  }
}

function warn(context: Context, warning: string): void {
  if (warning !== '') context.note(paint(context.color, 'yellow', warning));
}

/** Just what was planned, if planning anew gives the same. */
async function applyPlan(context: Context, options: ApplyOptions, path: string): Promise<number | undefined> {
  const saved = await readPlan(path);
  return context.withRegistry(async (client) => {
    const now = await planNow(context, client, saved.environment);
    requireSamePlan(saved, now);
    warn(context, now.warning);
    return declareAll(context, client, saved.environment, options, { what: `apply ${path}`, index: saved.index });
  });
}

/** `index`: refused where another generation is declared by now. */
async function declareAll(
  context: Context,
  client: RegistryClient,
  environment: Environment,
  options: ApplyOptions,
  { what, index }: { what: string; index: number | undefined },
): Promise<number | undefined> {
  const { supersede } = options;
  const words = await declaration(context, options, what);
  const applied = await applyEnvironment(client, environment, {
    ...words,
    expectGeneration: index,
    staged: true,
    supersede,
  });
  return finish(context, client, applied, options);
}

async function generationOf(client: RegistryClient, generation: number): Promise<Environment> {
  const record = await readHistory(client, generation);
  if (record) return record.environment;
  throw new McpError('USAGE_UNKNOWN_NAME', `there is no generation ${generation}`, { hint: 'mcp history lists them.' });
}

interface ScaleOptions extends DeclareOptions {
  remove?: string;
  replace?: boolean;
}

export const registerScale: Register = (program, interrupted) => {
  program
    .command('scale')
    .description('change the count of a service that has one version, or of one version; or say which instance goes')
    .argument('<service>', 'SERVICE or SERVICE@VERSION; with --remove SERVICE')
    .argument('[count]', 'instances wanted', wholeNumber(0, largestCount))
    .option(
      '--remove <machine>',
      'instead of a count: this machine goes, by the beginning of its id, and the count falls by one',
    )
    .option('--replace', 'with --remove: the count stays, another machine takes its place first')
    .option('--yes', 'take away more than half if that is what you want')
    .option('--reason <text>', 'why, for the history')
    .option('--no-wait', 'do not wait until desired = live')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 86_400), 300)
    .action(
      action<ScaleOptions>(interrupted, (context, options, target = '', count) => {
        const { remove, replace } = options;
        if ((count === undefined) === (remove === undefined) || (replace && remove === undefined)) {
          throw new McpError('USAGE_BAD_OPTION', 'scale wants a count, or --remove with or without --replace', {
            hint: `mcp scale ${target} N, or mcp scale ${target} --remove MACHINE [--replace]`,
          });
        }
        return context.withRegistry((client) =>
          remove === undefined
            ? scale(context, client, options, target, Number(count))
            : removeOne(context, client, options, { service: target, machine: remove, replace: replace === true }),
        );
      }),
    );
};

async function scale(context: Context, client: RegistryClient, options: DeclareOptions, target: string, count: number) {
  const { record: current } = await readDeclared(client, { signal: context.signal });
  if (!current) throw new McpError('USAGE_NOTHING_DECLARED', 'nothing is declared yet', { hint: 'mcp apply -f FILE' });
  const applied = await applyEnvironment(client, scaled(current.environment, target, count), {
    ...(await declaration(context, options, `scale ${target} ${count}`)),
    expectGeneration: current.generation,
  });
  return finish(context, client, applied, options, { service: target.split('@')[0] });
}

async function removeOne(
  context: Context,
  client: RegistryClient,
  options: DeclareOptions,
  what: { service: string; machine: string; replace: boolean },
) {
  const { registry } = await readWorld(client, context.reading());
  const { author, confirmed, at } = await declaration(context, options, '');
  const words = { author, reason: options.reason ?? '', confirmed, at };
  const { machine, ...applied } = await removeInstance(client, registry, what, words);
  if (what.replace) context.note(`Machine ${machine} goes as soon as another one serves in its place.`);
  const waits = whatWaits((await readWorld(client, context.reading())).registry, what.service, systemClock.now());
  for (const why of waits) context.note(`It waits: ${why}`);
  return finish(context, client, { ...applied, waits }, options, { service: what.service, gone: machine });
}

/** The environment of a file, its artifacts packed. */
export function loadFile(context: Context, options: FileOptions): Promise<Environment> {
  return loadEnvironment(options.file, {
    artifacts: statePaths(context.stateDir).artifacts,
    allowEmpty: options.allowEmpty,
    defaultImage: defaultImageOf(readState(context.stateDir) ?? { provider: 'process' }),
  });
}

/** Who declares, why and when. */
export async function declaration(context: Context, options: DeclareOptions, what: string) {
  return {
    author: context.actor,
    reason: options.reason ?? what,
    confirmed: options.yes === true,
    at: systemClock.now(),
  };
}

/** What is waited for; all of it where nothing is named. */
interface Awaited {
  service?: string;
  /** A machine that must run nothing any more. */
  gone?: string;
  /** Rollouts that must be over. */
  rollouts?: readonly RolloutRecord[];
  /** Versions of the service: that they are there is enough, whoever else has still to go. */
  present?: readonly string[];
}

/** Tells what was declared and, unless told not to, waits until it is true: of everything, or of the one service changed. */
export async function finish(
  context: Context,
  client: RegistryClient,
  applied: Applied & { waits?: string[] },
  options: DeclareOptions,
  awaited: Awaited = {},
): Promise<number | undefined> {
  if (!applied.changed) context.note(`Generation ${applied.generation} already says so.`);
  else if (applied.diff.change !== 'same')
    context.note(`Generation ${applied.generation} declared.\n${renderDiff(applied.diff, context.color)}`);
  const { rollouts } = applied;
  if (rollouts.length > 0) context.note(`\n${renderOrder(stagedChanges(rollouts), context.color)}`);
  const converged =
    options.wait === false ? null : await waitUntilLive(context, client, options.timeout, { ...awaited, rollouts });
  const changes = stagedChanges(rollouts, rollouts.length > 0 ? await lastRollouts(client) : []);
  if (context.json) context.printJson({ ...applied, rollouts: changes, converged });
  else if (converged && rollouts.length > 0) context.print(renderOutcome(changes, context.color));
  else if (converged) context.print('Desired = live.');
  return converged === false || (converged && !areDone(changes)) ? exitCodes.failed : undefined;
}

async function lastRollouts(client: RegistryClient): Promise<RolloutRecord[]> {
  return Object.values(await readRollouts(client)).map(({ record }) => record);
}

async function waitUntilLive(
  context: Context,
  client: RegistryClient,
  timeout: number,
  { service: only, gone, rollouts = [], present }: Awaited,
): Promise<boolean> {
  const progress = makeProgress(context);
  const deadline = systemClock.monotonic() + timeout * 1000;
  progress.start(present ? `Wait until ${only}@${present.join(' and ')} is there` : 'Wait until desired = live');
  for (;;) {
    const all = await readStatus(client, context.reading());
    const status = { ...all, services: all.services.filter(({ name }) => only === undefined || name === only) };
    const instances = status.services.flatMap(({ versions }) => versions.flatMap((version) => version.instances));
    const changes = rollouts.length > 0 ? stagedChanges(rollouts, await lastRollouts(client)) : [];
    const isTrue = present ? areThere(status, present) : isConverged(status);
    if (isTrue && areOver(changes) && !instances.some(({ machine }) => machine === gone)) {
      progress.done();
      return true;
    }
    const left = areOver(changes)
      ? leftToDo(status)
      : changes.map(({ service, phase }) => `${service} ${phase ?? 'unknown'}`).join(', ');
    progress.tell(left);
    if (systemClock.monotonic() > deadline) {
      progress.fail();
      context.note(`Not true after ${timeout} s: ${left}\nThe controller goes on. See mcp status and mcp why.`);
      return false;
    }
    await systemClock.sleep(100, context.signal);
  }
}

function areThere({ services }: StatusView, present: readonly string[]): boolean {
  const versions = services.flatMap((service) => service.versions);
  return present.every((name) => versions.some(({ version, live, desired }) => version === name && live >= desired));
}

function leftToDo(status: StatusView): string {
  const open = status.services
    .filter(({ live, desired }) => live !== desired)
    .map(({ name, live, desired }) => `${name} ${live}/${desired}`);
  return [...open, ...status.waiting.map(({ what, why }) => `${what} waits: ${why}`)].join(', ') || 'draining';
}
