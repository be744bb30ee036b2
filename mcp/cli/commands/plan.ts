/** `mcp plan`: what applying a file would do. */

import { effectiveDesired } from '../../../registrar/recipes/effective-environment.ts';
import type { RolloutRecord } from '../../../registrar/rollout-records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { allowanceFor, compareEnvironments, needsConfirmation } from '../../../specs/compare-environments.ts';
import { environmentDigest } from '../../../specs/digest.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { readWorld } from '../../control/read-status.ts';
import { beginRollouts } from '../../declare/begin-rollouts.ts';
import { unheeded } from '../../declare/unheeded.ts';
import { firstSteps } from '../../plan/first-steps.ts';
import { seenInstances } from '../../rollout/seen-instances.ts';
import { isNothing, previewEnvironment } from '../../view/preview.ts';
import type { RegistryPart } from '../../view/status-view.ts';
import type { Context } from '../context.ts';
import { exitCodes, paint } from '../output.ts';
import { renderDiff, renderPreview, renderSteps } from '../render-plan.ts';
import { renderOrder, stagedChanges } from '../staged-apply.ts';
import { type FileOptions, loadFile } from './declare.ts';
import { action, type Register } from './run.ts';

export const registerPlan: Register = (program, interrupted) => {
  program
    .command('plan')
    .description('show what applying a file would do; changes nothing (exit 0: nothing to do, 4: changes)')
    .requiredOption('-f, --file <yaml>', 'environment file')
    .option('--allow-empty', 'accept an environment without services')
    .action(action<FileOptions>(interrupted, plan));
};

async function plan(context: Context, options: FileOptions): Promise<number> {
  const environment = await loadFile(context, options);
  const { registry } = await context.withRegistry((client) => readWorld(client, context.reading()));
  const current = registry.desired?.record;
  const warning = unheeded(environment, registry.declared?.record.environment, registry.gateways);
  const diff = compareEnvironments(current?.environment, environment);
  const preview = previewEnvironment(environment, registry);
  const begun = rolloutsOf(environment, registry, context.actor);
  const next = {
    generation: (current?.generation ?? 0) + 1,
    author: context.actor,
    reason: 'plan',
    at: systemClock.now(),
    digest: environmentDigest(environment),
    allowance: allowanceFor(current?.environment, environment),
    environment,
  };
  const rollouts = { ...registry.rollouts };
  for (const record of begun) rollouts[record.service] = { record, version: 0 };
  const declared = { record: next, version: 0 };
  const steps = firstSteps({ ...registry, rollouts, declared }, effectiveDesired(next, rollouts));
  const refusal = needsConfirmation(current?.environment, environment) ?? null;
  const nothing = diff.change === 'same' && isNothing(preview);
  if (context.json)
    context.printJson({
      generation: current?.generation ?? null,
      index: current?.generation ?? 0,
      changes: !nothing,
      refusal,
      warning,
      diff,
      preview,
      rollouts: stagedChanges(begun),
      firstSteps: steps,
    });
  else {
    context.print(renderDiff(diff, context.color) || 'The declaration is the same.');
    context.print(`\n${renderPreview(preview, context.color)}`);
    if (begun.length > 0) context.print(`\n${renderOrder(stagedChanges(begun), context.color)}`);
    if (!nothing) context.print(`\n${renderSteps(steps, context.color)}`);
    if (warning !== '') context.print(`\n${paint(context.color, 'yellow', warning)}`);
    if (refusal) context.print(`\n${paint(context.color, 'yellow', `apply will ask for --yes: ${refusal}`)}`);
    context.print(
      nothing
        ? '\nNothing to do.'
        : `\nTo do it: mcp apply -f ${options.file} --check-index ${current?.generation ?? 0}`,
    );
  }
  return nothing ? exitCodes.done : exitCodes.changes;
}

/** The rollouts that declaring it would begin; those under way are not asked to end. */
function rolloutsOf(environment: Environment, registry: RegistryPart, by: string): RolloutRecord[] {
  const before = registry.declared?.record.environment;
  if (!before) return [];
  return beginRollouts({
    before,
    after: environment,
    rollouts: registry.rollouts,
    ended: new Set(),
    instancesOf: (service) => seenInstances(registry, service),
    newId: () => 'new',
    by,
    reason: 'plan',
    at: systemClock.now(),
  });
}
