/** The README's tours of upgrade, undo and A/B: what is printed there is what is run, in that order. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { makeProgram } from '../../mcp/cli/main.ts';
import { examples, runMcp, settled, startEnvironment } from '../helpers/local-environment.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = await readFile(join(root, 'README.md'), 'utf8');

interface Printed {
  words: string[];
  /** What stands below the command, without what `...` leaves out. */
  output: string[];
}

/** The `$ npx mcp` commands of a section, with their output. */
function printedIn(section: string): Printed[] {
  const text = section === '' ? readme : (readme.split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? '');
  return [...text.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .filter((part) => part.startsWith('npx mcp '))
      .map((part) => {
        const [command = '', ...output] = part.trimEnd().split('\n');
        const said = command.replace(/ +#.*$/, '').match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
        return { words: said.slice(2).map((word) => word.replace(/^(['"])(.*)\1$/s, '$2')), output };
      }),
  );
}

test('every command that the README prints exists, with every option', (t) => {
  const all = printedIn('');
  t.true(all.length > 15);
  const program = makeProgram();
  for (const { words } of all) {
    let command = program;
    for (const word of words) {
      const next = command.commands.find((one) => one.name() === word);
      if (!next) break;
      command = next;
    }
    t.not(command.parent, null, words.join(' '));
    const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
    for (const word of words.filter((one) => /^--?[a-z]/.test(one))) t.true(known.includes(word), words.join(' '));
  }
});

/** Words of a line that are the same in every run: no times, ids, counts of requests or percentages. */
function stable(line: string): string {
  return (
    line
      .replace(/\d\d:\d\d:\d\d/g, '')
      .split(/\(|\d+ requests|: exited with|: it ends again| {2}\d+\/\d+|, so they|all \d new instances count/)[0]
      ?.trim() ?? ''
  );
}

const tours = process.env.MCP_ALL ? test.serial : test.serial.skip;

tours('upgrade, undo and A/B run as printed, and print what is printed', async (t) => {
  t.timeout(300_000);
  const env = await startEnvironment(t);
  const without = join(root, 'dns-3');
  t.teardown(() => rm(without, { recursive: true, force: true }));
  await cp(join(examples, 'services/dns'), without, { recursive: true });
  const document = JSON.parse(await readFile(join(without, 'openapi.json'), 'utf8'));
  delete document.paths['/zones/{zone}'].delete;
  await writeFile(join(without, 'openapi.json'), JSON.stringify(document));

  for (const section of ['Upgrade without losing a request', 'Undo', 'A/B in two commands']) {
    const printed = printedIn(section);
    t.true(printed.length > 0, section);
    for (const { words, output } of printed) {
      const { stdout, stderr } = await runMcp([...words, '--state', env.dir], { cwd: root });
      t.log(`$ npx mcp ${words.join(' ')}\n${stderr}${stdout}`);
      const lines = `${stderr}\n${stdout}`.split('\n').map(stable);
      const expected = output.filter((line) => line !== '...').map(stable);
      for (const line of expected.filter((one) => one !== ''))
        t.true(lines.includes(line), `${words.join(' ')}: ${line}`);
    }
    await env.until(
      'nothing rolls',
      (status) => settled(status) && !status.waiting.some(({ what }) => what.startsWith('rollout')),
    );
  }
});
