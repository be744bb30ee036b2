/** `mcp machines`: every machine, its story, and all that is known of one. */
import { readEnded } from '../../../registrar/recipes/ended-machines.ts';
import type { ProviderRecord } from '../../../registrar/status-records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { readWorld } from '../../control/read-status.ts';
import { machineNamed } from '../../declare/name-machine.ts';
import { setProtection } from '../../declare/operator-words.ts';
import { endedView, type MachineView, machineViews } from '../../view/machine-view.ts';
import type { Context } from '../context.ts';
import { renderMachine, renderMachines } from '../render-machines.ts';
import { action, type Register } from './run.ts';

export const registerMachines: Register = (program, interrupted) => {
  const machines = program
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
          const view = machineNamed([...live, ...ended], ({ machine }) => machine, id);
          if (context.json) context.printJson(view);
          else context.print(renderMachine(view, render));
        } else if (context.json) context.printJson({ provider, machines: live, ended });
        else context.print(renderMachines(live, ended, { ...render, all }));
        return undefined;
      }),
    );
  const telling = (name: string, description: string, wanted: boolean) =>
    machines
      .command(name)
      .description(description)
      .argument('<id>', 'the beginning of its id')
      .option('--reason <text>', 'why, for everyone who wonders', '')
      .action(action<WordOptions>(interrupted, (context, options, id = '') => protect(context, id, wanted, options)));
  telling('protect', 'keep an instance: it is never chosen where instances must go', true);
  telling('unprotect', 'let an instance be chosen again where instances must go', false);
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

interface WordOptions {
  reason: string;
}

async function protect(context: Context, id: string, wanted: boolean, { reason }: WordOptions): Promise<undefined> {
  const { record, changed } = await context.withRegistry(async (client) => {
    const { registry } = await readWorld(client, context.reading());
    const { uuid } = machineNamed(registry.machines, ({ record: { uuid } }) => uuid, id).record;
    return setProtection(client, uuid, wanted, { author: context.actor, reason, at: systemClock.now() });
  });
  const now = wanted ? 'protected' : 'not protected';
  if (context.json) context.printJson({ machine: record.uuid, protected: record.protected ?? null, changed });
  else context.print(`Machine ${record.uuid} is ${now}${changed ? '' : ' already'}.`);
  return undefined;
}
