/** `mcp plan`: what applying a file would do, and that kept as a file that can be applied as it is. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../../registrar/system-clock.ts';
import { writePlan } from '../../declare/saved-plan.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../output.ts';
import { planNow } from '../plan-now.ts';
import { renderPlan } from '../render-plan.ts';
import { stagedChanges } from '../staged-apply.ts';
import { type FileOptions, loadFile } from './declare.ts';
import { action, type Register } from './run.ts';

interface PlanOptions extends FileOptions {
  out?: string;
}

export const registerPlan: Register = (program, interrupted) => {
  program
    .command('plan')
    .description('show what applying a file would do; changes nothing (exit 0: nothing to do, 4: changes)')
    .requiredOption('-f, --file <yaml>', 'environment file')
    .option('--out <plan>', 'keep the plan in this file: mcp apply PLAN does just that, or is refused')
    .option('--allow-empty', 'accept an environment without services')
    .action(action<PlanOptions>(interrupted, plan));
};

async function plan(context: Context, options: PlanOptions): Promise<number> {
  const environment = await loadFile(context, options);
  const made = await context.withRegistry((client) => planNow(context, client, environment));
  const { out, file } = options;
  if (out !== undefined) {
    const text = await readFile(file, 'utf8');
    await writePlan(out, made, { environment, file: { name: file, text }, by: context.actor, at: systemClock.now() });
  }
  if (context.json) {
    const { begun, index, changes, refusal, warning, diff, preview, firstSteps, forecast, guards } = made;
    const generation = index === 0 ? null : index;
    const rollouts = stagedChanges(begun);
    const saved = out === undefined ? {} : { out };
    context.printJson({
      generation,
      index,
      changes,
      refusal,
      warning,
      diff,
      preview,
      rollouts,
      firstSteps,
      forecast,
      guards,
      ...saved,
    });
  } else {
    const next = out === undefined ? `-f ${file} --check-index ${made.index}` : out;
    context.print(renderPlan(made, context.color, next));
  }
  return made.changes ? exitCodes.changes : exitCodes.done;
}
