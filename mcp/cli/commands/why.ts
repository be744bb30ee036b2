/**
 * `mcp why SERVICE`: the first broken link between the declaration and the merged document. `mcp why --path PATH`: where the
 * gateway would send a request.
 */
import { readQuestion } from '../../../proxy-daemon/routes/explain/question.ts';
import { McpError } from '../../../specs/errors.ts';
import { askExplanation } from '../../control/ask-explanation.ts';
import { askDocuments } from '../../control/ask-gateway.ts';
import { readStatus, readWorld } from '../../control/read-status.ts';
import { type WhyView, whyService } from '../../view/why.ts';
import type { Link } from '../../view/why-link.ts';
import type { Context } from '../context.ts';
import { exitCodes, indented, paint } from '../output.ts';
import { renderExplanation } from '../render-explanation.ts';
import { action, type Register } from './run.ts';

export const registerWhy: Register = (program, interrupted) => {
  program
    .command('why')
    .description(
      'walk from declaration to document for a service and name the first broken link, or say where a request would go (exit 1 if there is one, or it would go nowhere)',
    )
    .argument('[service]', 'name of the service')
    .option('--path <path>', 'explain this request instead, such as /dns/zones')
    .option('--method <method>', 'of the request')
    .option('--header <line>', 'of the request, as "Name: value"; may be given several times', gather, [])
    .action(
      action<RequestOptions>(interrupted, (context, options, service) => {
        if (options.path !== undefined && service === undefined) return whyRequest(context, options);
        const isOne = options.path === undefined && options.method === undefined && options.header.length === 0;
        if (service === undefined || !isOne) throw neither();
        return why(context, service);
      }),
    );
};

interface RequestOptions {
  path?: string;
  method?: string;
  header: string[];
}

function gather(line: string, before: string[]): string[] {
  return [...before, line];
}

function neither(): McpError {
  return new McpError('USAGE_WHY', 'why needs a service, or a request (--path, with --method and --header)', {
    hint: 'mcp why dns, or mcp why --path /dns/zones',
  });
}

async function whyRequest(context: Context, options: RequestOptions): Promise<number | undefined> {
  const query = new URLSearchParams({ path: options.path ?? '', method: options.method ?? 'GET' });
  for (const line of options.header) query.append('header', line);
  const question = readQuestion(query.toString(), []);
  const { gateways } = await context.withRegistry((client) => readStatus(client, context.reading()));
  const told = await askExplanation(gateways, question, context.signal);
  if (context.json) context.printJson(told);
  else context.print(renderExplanation(told, context.color));
  return told.outcome.kind === 'refused' ? exitCodes.failed : undefined;
}

async function why(context: Context, service: string): Promise<number | undefined> {
  const { registry, controller, leading } = await context.withRegistry((client) =>
    readWorld(client, context.reading()),
  );
  const all = await askDocuments(registry.gateways, context.signal);
  const documents = all?.filter((word) => word.service === service) ?? null;
  const view = whyService(service, {
    registry,
    controller: {
      leader: leading ? (controller?.leader ?? null) : null,
      waiting: controller?.waiting ?? [],
      alarms: controller?.alarms ?? [],
    },
    documents,
  });
  if (context.json) context.printJson(view);
  else context.print(render(view, context));
  return view.broken === null ? undefined : exitCodes.failed;
}

function render(view: WhyView, context: Context): string {
  const verdict =
    view.broken === null
      ? paint(context.color, 'green', `${view.service} is as declared.`)
      : paint(context.color, 'red', `${view.service}: the first broken link is its ${view.broken}.`);
  return [...view.links.map((link) => renderLink(link, view.broken, context)), '', verdict].join('\n');
}

function renderLink(link: Link, broken: WhyView['broken'], context: Context): string {
  const mark = link.ok ? paint(context.color, 'green', '✔') : paint(context.color, 'red', '✘');
  const lines = [
    `${mark} ${paint(context.color, 'bold', link.link)}`,
    ...link.evidence.map((fact) => `    ${indented(fact, 6)}`),
  ];
  if (link.link === broken && link.try) lines.push(`    ${paint(context.color, 'cyan', 'try')}: ${link.try}`);
  return lines.join('\n');
}
