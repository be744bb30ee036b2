/** `mcp suspend` and `mcp resume`: the durable brake (P13). No restart lifts it. */
import { systemClock } from '../../../registrar/system-clock.ts';
import { appendEvent } from '../../../registrar/recipes/event-log.ts';
import { resume, suspend } from '../../../registrar/recipes/suspension.ts';
import { action, type Register } from './run.ts';

export const registerSuspend: Register = (program, interrupted) => {
  program
    .command('suspend')
    .description('stop the controller from acting until `mcp resume`; services and gateways go on')
    .requiredOption('--reason <text>', 'why, for everyone who wonders')
    .action(
      action<{ reason: string }>(interrupted, async (context, { reason }) => {
        const record = await context.withRegistry((client) => suspend(client, { reason, by: context.actor, at: systemClock.now() }));
        if (context.json) context.printJson(record);
        else context.print(`Suspended: ${reason}\nNothing is created, claimed, drained or destroyed until \`mcp resume\`.`);
        return undefined;
      }),
    );
};

export const registerResume: Register = (program, interrupted) => {
  program
    .command('resume')
    .description('let the controller act again')
    .action(
      action(interrupted, async (context) => {
        const record = await context.withRegistry((client) => resume(client, { by: context.actor, at: systemClock.now() }));
        if (context.json) context.printJson(record);
        else context.print('Resumed.');
        return undefined;
      }),
    );
};
