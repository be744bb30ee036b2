/** `mcp events` and `mcp history`: who did what, and why. */

import { listHistory, readHistory } from '../../../registrar/recipes/desired-document.ts';
import { followEvents, type LoggedEvent, readEvents } from '../../../registrar/recipes/event-log.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { indented, paint, table } from '../output.ts';
import { action, type Register } from './run.ts';

interface EventOptions {
  follow?: boolean;
  service?: string;
  machine?: string;
  limit: number;
}

export const registerEvents: Register = (program, interrupted) => {
  program
    .command('events')
    .description('show what was done, by whom and why, oldest first')
    .option('--follow', 'go on showing new ones until Ctrl-C')
    .option('--service <name>', 'only this service')
    .option('--machine <uuid>', 'only machines whose id starts with this')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 1000), 50)
    .action(
      action<EventOptions>(interrupted, (context, options) =>
        context.withRegistry((client) => events(context, client, options)),
      ),
    );
};

async function events(context: Context, client: RegistryClient, options: EventOptions): Promise<undefined> {
  const wanted = (event: LoggedEvent) =>
    (!options.service || event.service === options.service) &&
    (!options.machine || (event.machine ?? '').startsWith(options.machine));
  const all = await readEvents(client, { signal: context.signal });
  const chosen = all.filter(wanted).slice(-options.limit);
  if (!options.follow) {
    if (context.json) context.printJson({ events: chosen });
    else context.print(chosen.map((event) => renderEvent(event, context)).join('\n') || 'No events.');
    return undefined;
  }
  const show = (event: LoggedEvent) =>
    context.print(context.json ? JSON.stringify(event) : renderEvent(event, context));
  chosen.forEach(show);
  for await (const event of followEvents(client, systemClock, {
    signal: context.signal,
    after: all.at(-1)?.sequence,
  })) {
    if (wanted(event)) show(event);
  }
  return undefined;
}

function renderEvent(event: LoggedEvent, context: Context): string {
  const at = new Date(event.at).toISOString().replace('T', ' ').replace('Z', '');
  const epoch = event.epoch === undefined ? '' : ` epoch ${event.epoch}`;
  // An id is told by its beginning; a generation is its number.
  const operation = event.operation
    ? ` op ${/^[0-9a-f-]{36}$/.test(event.operation) ? event.operation.slice(0, 8) : event.operation}`
    : '';
  const tail = paint(context.color, 'dim', `(${event.actor}${epoch}${operation})`);
  const reason = event.reason ? `: ${event.reason}` : '';
  return `${paint(context.color, 'dim', at)}  ${paint(context.color, 'cyan', event.kind.padEnd(20))} ${indented(event.message, 4)}${indented(reason, 4)} ${tail}`;
}

export const registerHistory: Register = (program, interrupted) => {
  program
    .command('history')
    .description('show the declared generations, newest first')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 1000), 20)
    .action(
      action<{ limit: number }>(interrupted, (context, { limit }) =>
        context.withRegistry((client) => history(context, client, limit)),
      ),
    );
};

async function history(context: Context, client: RegistryClient, limit: number): Promise<undefined> {
  const generations = (await listHistory(client)).slice(-limit).reverse();
  const records = (await Promise.all(generations.map((generation) => readHistory(client, generation)))).filter(
    (record) => record !== null,
  );
  if (context.json) {
    context.printJson({
      generations: records.map(({ environment, ...rest }) => ({ ...rest, services: environment.services.length })),
    });
    return undefined;
  }
  const rows = records.map((record) => [
    String(record.generation),
    new Date(record.at).toISOString().slice(0, 19).replace('T', ' '),
    record.author,
    record.reason,
    record.environment.services
      .map(({ name, versions }) => `${name} ${versions.map(({ version, count }) => `${version}x${count}`).join('+')}`)
      .join(', '),
  ]);
  context.print(
    rows.length === 0
      ? 'Nothing was declared yet.'
      : table([['GENERATION', 'WHEN (UTC)', 'WHO', 'WHY', 'DECLARES'], ...rows], context.color),
  );
  return undefined;
}
