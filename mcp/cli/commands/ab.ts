/** `mcp ab`: versions side by side, as long as wanted; what comes of it; and its end. */

import { resolve } from 'node:path';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { McpError } from '../../../specs/errors.ts';
import { didYouMean } from '../../../specs/near-miss.ts';
import type { Service, Version } from '../../../specs/nouns.ts';
import { runningVersions } from '../../../specs/running-versions.ts';
import { readFigures, readFreshFigures, readMirrors } from '../../control/read-figures.ts';
import { readStatus, readWorld } from '../../control/read-status.ts';
import { found, upgrade } from '../../declare/change-version.ts';
import { largestCount } from '../../declare/scale.ts';
import {
  entering,
  newcomers,
  parseShares,
  sharesBefore,
  sideBySide,
  type VersionShare,
} from '../../declare/side-by-side.ts';
import { currentTrial, noteTrial, readTrials, trialVersions } from '../../declare/trials.ts';
import { type VersionWords, versionToRun } from '../../declare/version-to-run.ts';
import { defaultImageOf, readState, statePaths } from '../../local/state.ts';
import { isActive } from '../../rollout/rollout-input.ts';
import { sameRun } from '../../rollout/sides.ts';
import { underWay } from '../../rollout/start-rollout.ts';
import { abReport, sideViews } from '../../view/ab-report.ts';
import type { RegistryPart } from '../../view/status-view.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { renderReport, renderSides } from '../render-ab.ts';
import { declareService, passGate } from './ab-gate.ts';
import { type DeclareOptions, declaration, finish } from './declare.ts';
import { action, type Register } from './run.ts';
import { author, follow, words } from './upgrade.ts';

interface AbOptions extends VersionWords, Omit<DeclareOptions, 'timeout'> {
  count?: number;
  report?: boolean;
  conclude?: string;
  allowBreaking?: string;
  timeout?: number;
}

/** Longest waits, s: until desired = live, and for the end of a rollout. */
const patience = { shares: 300, conclude: 86_400 };

export const registerAb: Register = (program, interrupted) => {
  program
    .command('ab')
    .description('run two versions or more side by side, each with a share of the traffic; without shares: show them')
    .argument('<service>', 'name of the service')
    .argument('[shares...]', 'VERSION=WEIGHT, or VERSION=WEIGHT:COUNT; again with others changes them at once')
    .option('--report', 'compare requests, errors and latency of the versions, as the gateways counted them')
    .option('--conclude <version>', 'end it: a rolling upgrade of all to this version')
    .option(
      '--count <n>',
      'instances of what does not run yet; default: enough for its share',
      wholeNumber(1, largestCount),
    )
    .option('-f, --file <yaml>', 'environment file that describes what does not run yet')
    .option('--artifact <path>', 'directory, or tar, or single file to run it from')
    .option('--command <words>', 'what to run: words, or a JSON list where they hold spaces', words)
    .option('--port <n>', 'port it listens on', wholeNumber(1, 65_535))
    .option('--env <NAME=value...>', 'environment variables beside those of the version that runs')
    .option('--allow-breaking <reason>', 'why the document of what is new may break callers of what runs')
    .option('--yes', 'take away more than half if that is what you want')
    .option('--reason <text>', 'why, for the history')
    .option('--no-wait', 'do not wait until it is so')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 604_800))
    .action(
      action<AbOptions>(interrupted, (context, options, service = '', ...shares) => {
        const asked = parseShares(shares.flat());
        checkOptions(options, asked);
        return context.withRegistry((client) => {
          if (options.conclude !== undefined) return conclude(context, client, options, service, options.conclude);
          if (asked.length > 0) return declareShares(context, client, options, service, asked);
          return show(context, client, service, options.report === true);
        });
      }),
    );
};

function checkOptions(options: AbOptions, shares: readonly VersionShare[]): void {
  const asked = [shares.length > 0, options.report === true, options.conclude !== undefined].filter(Boolean).length;
  if (asked > 1) throw badOption('shares, --report and --conclude are three different things', 'Give one of them.');
  if (shares.length > 0) return;
  const unused = (['count', 'file', 'artifact', 'command', 'port', 'env', 'yes', 'allowBreaking'] as const).find(
    (name) => options[name] !== undefined,
  );
  if (unused)
    throw badOption(
      `--${unused === 'allowBreaking' ? 'allow-breaking' : unused} goes with shares`,
      'Such as: mcp ab dns 1.2.0=90 1.3.0=10',
    );
}

function badOption(message: string, hint: string): McpError {
  return new McpError('USAGE_BAD_OPTION', message, { hint });
}

async function declareShares(
  context: Context,
  client: RegistryClient,
  options: AbOptions,
  service: string,
  shares: readonly VersionShare[],
): Promise<number | undefined> {
  const { registry } = await readWorld(client, context.reading());
  const { declared, rollout } = found(registry, service);
  if (rollout && isActive(rollout)) throw underWay(rollout);
  const fresh = await describe(context, registry, options, service, shares);
  const changed = sideBySide(declared, shares, fresh, options.count);
  const said = shares.map(
    ({ version, weight, count }) => `${version}=${weight}${count === undefined ? '' : `:${count}`}`,
  );
  const why = options.allowBreaking === undefined ? '' : `; allowed to break callers: ${options.allowBreaking}`;
  const words = await declaration(context, { ...options, timeout: 0 }, `ab ${service} ${said.join(' ')}${why}`);
  const times = { ...options, timeout: options.timeout ?? patience.shares };
  let generation = registry.declared?.record.generation ?? 0;
  const gated = declared.document === undefined ? [] : entering(declared, shares);
  if (gated.length > 0) {
    const before = sideBySide(declared, sharesBefore(shares, gated), fresh, options.count);
    const passed = await passGate(context, client, { declared, before, gated, generation }, times, words);
    if (!('generation' in passed)) return passed.exitCode;
    generation = passed.generation;
  }
  const applied = await declareService(client, changed, words, generation);
  const code = await finish(context, client, applied, times, { service });
  if (code === undefined && applied.changed && options.wait !== false) {
    await begin(context, client, registry, changed, words);
  }
  return code;
}

/** From here on it is counted for the report. */
async function begin(
  context: Context,
  client: RegistryClient,
  { gateways, declared }: RegistryPart,
  service: Service,
  { author: by, reason }: { author: string; reason: string },
): Promise<void> {
  const figures = await readFreshFigures(gateways, [service.name], context.signal, systemClock);
  if (!figures) return;
  const baseline = [...(figures.get(service.name) ?? [])];
  const trial = {
    service: service.name,
    versions: trialVersions(service),
    by,
    reason,
    at: systemClock.now(),
    baseline,
  };
  await noteTrial(client, trial, new Set(declared?.record.environment.services.map(({ name }) => name)));
}

/** What the versions run that have no instance yet. Options that describe a version speak of the one that is new. */
async function describe(
  context: Context,
  registry: RegistryPart,
  options: AbOptions,
  service: string,
  shares: readonly VersionShare[],
): Promise<Map<string, Version>> {
  const { declared, rollout } = found(registry, service);
  const { file, artifact, command, port, env } = options;
  const names = newcomers(declared, shares);
  const said = { artifact, command, port, env };
  const isSaid = Object.values(said).some((value) => value !== undefined);
  if (isSaid && file !== undefined) throw badOption('--file describes all that runs', 'Say the rest in the file.');
  const known = [...declared.versions, ...(rollout ? [...rollout.from, ...rollout.to] : [])];
  const unknown = names.filter((name) => !known.some(({ version }) => version === name));
  const toDescribe = unknown.length > 0 ? unknown : names;
  if (isSaid && toDescribe.length > 1) {
    throw badOption(
      `${toDescribe.join(' and ')} do not run yet: which one do the options describe?`,
      'Describe them in an environment file, with count: 0, and name it with --file.',
    );
  }
  // The same command again describes what runs by now.
  const inWords = toDescribe[0] ?? shares.at(-1)?.version ?? '';
  const places = {
    artifacts: statePaths(context.stateDir).artifacts,
    defaultImage: defaultImageOf(readState(context.stateDir) ?? { provider: 'process' }),
    at: (path: string) => resolve(path),
  };
  const wanted = isSaid || file !== undefined ? new Set([...names, inWords]) : names;
  const versions = new Map<string, Version>();
  for (const name of wanted) {
    const described = name === inWords && isSaid ? said : toDescribe.includes(name) || name === inWords ? { file } : {};
    const version = await versionToRun(registry, service, name, described, places);
    const runs = runningVersions(declared).find((one) => one.version === name);
    if (runs && !sameRun(runs, version)) {
      throw new McpError('USAGE_SAME_NAME', `${service}@${name} runs as something else already`, {
        hint: 'A version is what it runs: give what is new another name.',
      });
    }
    versions.set(name, version);
  }
  return versions;
}

async function show(context: Context, client: RegistryClient, service: string, isReport: boolean): Promise<undefined> {
  const { registry } = await readWorld(client, context.reading());
  const { declared } = found(registry, service);
  const status = await readStatus(client, context.reading());
  const sides = sideViews(declared, status);
  if (!isReport) {
    if (context.json) context.printJson({ service, versions: sides });
    else context.print(renderSides(service, sides, context.color));
    return undefined;
  }
  needTwo(service, runningVersions(declared));
  const figures = await readFigures(registry.gateways, [service], context.signal);
  if (!figures) {
    throw new McpError('FIGURES_MISSING', 'not every gateway says what it counted by version', {
      retryable: true,
      hint: 'In plain mode nothing is counted, and just after its start not yet: mcp gateway traffic.',
    });
  }
  const trial = currentTrial(await readTrials(client), declared);
  const mirrors = await readMirrors(registry.gateways, service, context.signal);
  const report = abReport(declared, sides, figures.get(service) ?? [], trial, mirrors ?? undefined);
  if (context.json) context.printJson(report);
  else context.print(renderReport(report, context.color));
  return undefined;
}

async function conclude(
  context: Context,
  client: RegistryClient,
  options: AbOptions,
  service: string,
  name: string,
): Promise<number | undefined> {
  const { registry } = await readWorld(client, context.reading());
  const { declared, rollout } = found(registry, service);
  if (rollout && isActive(rollout)) throw underWay(rollout);
  const running = runningVersions(declared);
  needTwo(service, running);
  const version = running.find((one) => one.version === name);
  if (!version) {
    const names = running.map((one) => one.version);
    throw new McpError('USAGE_UNKNOWN_NAME', `${name} is not one of the versions${didYouMean(name, names)}`, {
      hint: `Side by side run ${names.join(' and ')}.`,
    });
  }
  const by = author(context, { ...options, reason: options.reason ?? `ab ${service} --conclude ${name}`, timeout: 0 });
  const { weight: _, ...to } = version;
  const change = await upgrade(client, registry, service, to, {}, by);
  return follow(context, client, service, change, { ...options, timeout: options.timeout ?? patience.conclude });
}

function needTwo(service: string, running: readonly Version[]): void {
  if (running.length > 1) return;
  throw new McpError('USAGE_NO_AB', `no two versions of ${service} run side by side`, {
    hint: `To begin: mcp ab ${service} ${running[0]?.version ?? 'VERSION'}=90 NEW=10 --artifact DIR`,
  });
}
