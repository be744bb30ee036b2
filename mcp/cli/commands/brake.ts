/** `mcp suspend` and `mcp resume`: the durable brake (P13). No restart lifts it. */

import { appendEvent } from '../../../registrar/recipes/event-log.ts';
import { resume, suspend } from '../../../registrar/recipes/suspension.ts';
import type { SuspendedRecord } from '../../../registrar/records.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import type { Context } from '../context.ts';
import { action, type Register } from './run.ts';

export const registerSuspend: Register = (program, interrupted) => {
  program
    .command('suspend')
    .description('stop the controller from acting until `mcp resume`; services and gateways go on')
    .option('--reason <text>', 'why, for everyone who wonders', '')
    .action(
      action<{ reason: string }>(interrupted, async (context, { reason }) => {
        const record = await setBrake(context, 'suspended', reason, suspend);
        if (context.json) context.printJson(record);
        else
          context.print(
            `Suspended${reason && `: ${reason}`}.\nNothing is created, claimed, drained or destroyed until \`mcp resume\`.`,
          );
        return undefined;
      }),
    );
};

export const registerResume: Register = (program, interrupted) => {
  program
    .command('resume')
    .description('let the controller act again')
    .option('--reason <text>', 'why, for everyone who wonders', 'resumed by an operator')
    .action(
      action<{ reason: string }>(interrupted, async (context, { reason }) => {
        const record = await setBrake(context, 'resumed', reason, resume);
        if (context.json) context.printJson(record);
        else context.print('Resumed.');
        return undefined;
      }),
    );
};

/** Changes the brake and logs who did it and why (P16). */
async function setBrake(
  context: Context,
  kind: 'suspended' | 'resumed',
  reason: string,
  change: typeof suspend,
): Promise<SuspendedRecord> {
  return context.withRegistry(async (client) => {
    const at = systemClock.now();
    const { record } = await change(client, { reason, by: context.actor, at });
    await appendEvent(client, { at, actor: context.actor, kind: `controller.${kind}`, message: kind, reason });
    return record;
  });
}
