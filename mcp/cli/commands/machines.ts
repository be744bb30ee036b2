/** `mcp machines`: every machine, its story, and all that is known of one. */
import { readEnded } from '../../../registrar/recipes/ended-machines.ts';
import type { ProviderRecord } from '../../../registrar/records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { McpError } from '../../../specs/errors.ts';
import { readWorld } from '../../control/read-status.ts';
import { endedView, type MachineView, machineViews } from '../../view/machine-view.ts';
import type { Context } from '../context.ts';
import { renderMachine, renderMachines } from '../render-machines.ts';
import { action, type Register } from './run.ts';

export const registerMachines: Register = (program, interrupted) => {
  program
    .command('machines')
    .description('list every machine with its story, or show all that is known of one')
    .argument('[id]', 'the beginning of one machine’s id')
    .option('--all', 'list all ended machines that are remembered')
    // It has commands below it: those without get it by themselves.
    .option('--json', 'print the result as one JSON document')
    .action(
      action<{ all?: boolean }>(interrupted, async (context, { all = false }, id) => {
        const { provider, live, ended } = await readMachines(context);
        const render = { color: context.color, now: systemClock.now() };
        if (id !== undefined) {
          const view = findMachine([...live, ...ended], id);
          if (context.json) context.printJson(view);
          else context.print(renderMachine(view, render));
        } else if (context.json) context.printJson({ provider, machines: live, ended });
        else context.print(renderMachines(live, ended, { ...render, all }));
        return undefined;
      }),
    );
};

function readMachines(
  context: Context,
): Promise<{ provider: ProviderRecord | null; live: MachineView[]; ended: MachineView[] }> {
  return context.withRegistry(async (client) => {
    const [{ registry, controller }, ended] = await Promise.all([
      readWorld(client, context.reading()),
      readEnded(client, { signal: context.signal }),
    ]);
    const provider = controller?.provider ?? null;
    return { provider, live: machineViews(registry), ended: ended.map(endedView) };
  });
}

function findMachine(machines: readonly MachineView[], id: string): MachineView {
  const found = machines.filter(({ machine }) => machine.startsWith(id));
  const [view] = found;
  if (view && new Set(found.map(({ machine }) => machine)).size === 1) return view;
  if (!view) {
    throw new McpError('USAGE_UNKNOWN_MACHINE', `no machine’s id begins with ${id}`, {
      hint: '`mcp machines --all` lists those there are and those that ended lately.',
    });
  }
  const ids = found.slice(0, 5).map(({ machine }) => machine);
  throw new McpError('USAGE_AMBIGUOUS_MACHINE', `${found.length} machines’ ids begin with ${id}: ${ids.join(', ')}`, {
    hint: 'Give more of it.',
  });
}
