/** `mcp diff` and `mcp export`: whether the file still says what is declared, and a file that does. */
import { readDeclared } from '../../../registrar/recipes/desired-document.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { compareEnvironments } from '../../../specs/compare-environments.ts';
import { McpError } from '../../../specs/errors.ts';
import { writeEnvironment } from '../../../specs/write-environment.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../output.ts';
import { renderDiff } from '../render-plan.ts';
import { type FileOptions, loadFile } from './declare.ts';
import { action, type Register } from './run.ts';

export const registerDiff: Register = (program, interrupted) => {
  program
    .command('diff')
    .description('show where what is declared has drifted from a file (exit 0: nowhere, 4: somewhere)')
    .requiredOption('-f, --file <yaml>', 'environment file')
    .option('--allow-empty', 'accept an environment without services')
    .action(action<FileOptions>(interrupted, diff));
};

async function diff(context: Context, options: FileOptions): Promise<number> {
  const environment = await loadFile(context, options);
  const { generation, author, reason, environment: declared } = await context.withRegistry(requireDeclared);
  const drift = compareEnvironments(environment, declared);
  const isSame = drift.change === 'same';
  if (context.json) context.printJson({ generation, author, reason, drift: !isSame, diff: drift });
  else if (isSame) context.print(`Generation ${generation} is what ${options.file} says.`);
  else {
    context.print(`From ${options.file} to generation ${generation} (${author}: ${reason}):`);
    context.print(renderDiff(drift, context.color));
    context.print(`\nTo keep it: mcp export > ${options.file}\nTo go back to the file: mcp apply -f ${options.file}`);
  }
  return isSame ? exitCodes.done : exitCodes.changes;
}

export const registerExport: Register = (program, interrupted) => {
  program
    .command('export')
    .description('write what is declared as an environment file')
    .action(
      action(interrupted, async (context) => {
        const { generation, author, reason, environment } = await context.withRegistry(requireDeclared);
        const text = writeEnvironment(environment);
        if (context.json) context.printJson({ generation, author, reason, file: text });
        else
          context.print(
            `# Generation ${generation} by ${author}: ${reason.replaceAll(/\s+/g, ' ')}\n${text.trimEnd()}`,
          );
        return undefined;
      }),
    );
};

async function requireDeclared(client: RegistryClient) {
  const { record } = await readDeclared(client);
  if (record) return record;
  throw new McpError('USAGE_NOTHING_DECLARED', 'nothing is declared yet', { hint: 'mcp apply -f FILE' });
}
