/** `mcp machines` and `mcp pool`: the ledger as people read it. */

import { systemClock } from '../../../registrar/system-clock.ts';
import { readWorld } from '../../control/read-status.ts';
import { type MachineView, machineViews, type PoolView, poolView } from '../../view/machine-view.ts';
import type { Context } from '../context.ts';
import { ago, paint, table } from '../output.ts';
import { action, type Register } from './run.ts';

export const registerMachines: Register = (program, interrupted) => {
  program
    .command('machines')
    .description('list every machine: state, address, what it runs, what its agent says')
    .action(
      action(interrupted, async (context) => {
        const { registry, controller } = await context.withRegistry((client) => readWorld(client, context.reading()));
        const views = machineViews(registry);
        if (context.json) context.printJson({ provider: controller?.provider ?? null, machines: views });
        else context.print(renderMachines(views, context));
        return undefined;
      }),
    );
};

export const registerPool: Register = (program, interrupted) => {
  program
    .command('pool')
    .description('show the pool of ready machines')
    .action(
      action(interrupted, async (context) => {
        const { registry, controller } = await context.withRegistry((client) => readWorld(client, context.reading()));
        const view = poolView(registry, controller?.waiting ?? []);
        if (context.json) context.printJson(view);
        else context.print(renderPool(view, context));
        return undefined;
      }),
    );
};

const stateStyles = {
  building: 'yellow',
  verifying: 'yellow',
  ready: 'cyan',
  claimed: 'green',
  draining: 'yellow',
  deleting: 'red',
} as const;

function renderMachines(views: MachineView[], context: Context): string {
  if (views.length === 0) return 'There are no machines.';
  const now = systemClock.now();
  const rows = views.map((view) => [
    view.machine,
    paint(context.color, stateStyles[view.state], view.state),
    ago(now - view.since),
    view.address,
    view.service ? `${view.service}@${view.version}` : '',
    view.agent,
    view.reason,
  ]);
  return table([['MACHINE', 'STATE', 'FOR', 'ADDRESS', 'RUNS', 'AGENT', 'REASON'], ...rows], context.color);
}

function renderPool(view: PoolView, context: Context): string {
  const { ready, building, verifying, target } = view;
  const short = ready < target;
  const lines = [
    `${paint(context.color, short ? 'yellow' : 'green', `${ready} of ${target}`)} ready, ${building} building, ${verifying} verifying  (image ${view.image ?? '-'})`,
    ...view.machines.map(
      (machine) =>
        `  ${machine.machine}  ${machine.state}  ${machine.address}  for ${ago(systemClock.now() - machine.since)}`,
    ),
    ...view.waiting.map(({ why }) => `  waiting: ${why}`),
  ];
  return lines.join('\n');
}
