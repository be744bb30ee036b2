/** The README's tours of upgrade, undo and A/B: what is printed there is what is run, in that order. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { makeProgram } from '../../mcp/cli/main.ts';
import { errorAnswers } from '../helpers/environment-faults.ts';
import { startLoad } from '../helpers/load.ts';
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

/** What of a line is the same in every run: no times, generations, counts of requests, findings or widths of columns. */
function stable(line: string): string {
  const words = line
    .replace(/\d\d:\d\d:\d\d|(?<=eneration )\d+|(?<=machine )[0-9a-f]{8}/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  const varies =
    /\(|\d+ requests|: exited with| \d+\/\d+| in \d+ s|, so they|all \d new instances count|(?<=^errors|^latency) | since /;
  return (words.split(varies)[0] ?? '').replace(/^[+~] (?=\d)/, '').trim();
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

  const load = startLoad(env.url, [{ method: 'GET', path: '/dns/zones' }], { clients: 2, pauseMs: 10 });
  t.teardown(() => void load.stop());
  for (const section of ['Upgrade without losing a request', 'Undo', 'A/B in two commands']) {
    const printed = printedIn(section);
    t.true(printed.length > 0, section);
    for (const { words, output } of printed) {
      const expected = output.filter((line) => line !== '...').map(stable);
      // What is counted comes some seconds late.
      const patience = words[0] === 'rollouts' || words.includes('--report') ? 60 : 1;
      let missing = expected;
      for (let tries = 0; missing.length > 0 && tries < patience; tries += 1) {
        const { stdout, stderr } = await runMcp([...words, '--state', env.dir], { cwd: root });
        const lines = new Set(`${stderr}\n${stdout}`.split('\n').map(stable));
        missing = expected.filter((line) => line !== '' && !lines.has(line));
        if (missing.length === 0 || tries === patience - 1) t.log(`$ npx mcp ${words.join(' ')}\n${stderr}${stdout}`);
      }
      t.deepEqual(missing, [], words.join(' '));
    }
    await env.until(
      'nothing rolls',
      (status) => settled(status) && !status.waiting.some(({ what }) => what.startsWith('rollout')),
    );
  }
  t.deepEqual(errorAnswers(await load.stop()), []);
});
