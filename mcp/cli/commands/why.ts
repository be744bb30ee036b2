/** `mcp why SERVICE`: the first broken link between the declaration and the merged document. */

import { askDocuments } from '../../control/ask-gateway.ts';
import { readWorld } from '../../control/read-status.ts';
import { type Link, type WhyView, whyService } from '../../view/why.ts';
import type { Context } from '../context.ts';
import { exitCodes, paint } from '../output.ts';
import { action, type Register } from './run.ts';

export const registerWhy: Register = (program, interrupted) => {
  program
    .command('why')
    .description(
      'walk from declaration to document for a service and name the first broken link (exit 1 if there is one)',
    )
    .argument('<service>', 'name of the service')
    .action(action(interrupted, (context, _options, service = '') => why(context, service)));
};

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
  const lines = [`${mark} ${paint(context.color, 'bold', link.link)}`, ...link.evidence.map((fact) => `    ${fact}`)];
  if (link.link === broken && link.try) lines.push(`    ${paint(context.color, 'cyan', 'try')}: ${link.try}`);
  return lines.join('\n');
}
