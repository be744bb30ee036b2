/** `mcp pool`: the machines that are ready for any service, and `mcp pool retry`. */
import { paths } from '../../../registrar/layout.ts';
import { readEnded } from '../../../registrar/recipes/ended-machines.ts';
import { appendEvent } from '../../../registrar/recipes/event-log.ts';
import { updateDocument } from '../../../registrar/recipes/versioned-document.ts';
import { codecs } from '../../../registrar/store/codecs.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { readWorld } from '../../control/read-status.ts';
import { forgiveFailures } from '../../plan/pool-record.ts';
import { poolView } from '../../view/pool-view.ts';
import { renderPool } from '../render-machines.ts';
import { action, type Register } from './run.ts';

export const registerPool: Register = (program, interrupted) => {
  const pool = program
    .command('pool')
    .description('show the pool of ready machines: its size and why, what is on its way, what failed')
    .option('--json', 'print the result as one JSON document')
    .action(
      action(interrupted, async (context) => {
        const view = await context.withRegistry(async (client) => {
          const [{ registry, controller }, ended] = await Promise.all([
            readWorld(client, context.reading()),
            readEnded(client, { signal: context.signal }),
          ]);
          return poolView(registry, controller ?? { waiting: [], alarms: [] }, ended);
        });
        if (context.json) context.printJson(view);
        else context.print(renderPool(view, { color: context.color, now: systemClock.now() }));
        return undefined;
      }),
    );
  pool
    .command('retry')
    .description('forgive failed machines and starts: what was stopped after failures is tried again at once')
    .option('--reason <text>', 'why, for everyone who wonders', '')
    .action(
      action<{ reason: string }>(interrupted, async (context, { reason }) => {
        const forgiven = await context.withRegistry(async (client) => {
          const { signal } = context;
          const before = await updateDocument(client, paths.pool, codecs.pool, forgiveFailures, { signal });
          const event = {
            actor: context.actor,
            kind: 'pool.retried',
            message: 'failed machines and starts are forgiven',
          };
          await appendEvent(client, { at: systemClock.now(), ...event, reason });
          return before?.record.lifted ?? 0;
        });
        if (context.json) context.printJson({ lifted: forgiven });
        else context.print('Forgiven: what was stopped after failures is tried again.');
        return undefined;
      }),
    );
};
