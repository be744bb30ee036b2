import { spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { cpioArchive, cpioFile, cpioFolder, cpioProgram } from '../../../vm-factory/image/cpio.ts';
import { asJavaScript, importClosure, importsOf } from '../../../vm-factory/image/import-closure.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

test('an archive is unpacked by others as it was meant, and the same entries give the same bytes', async (t) => {
  const entries = [
    { name: 'a', mode: cpioFolder },
    { name: 'a/odd', mode: cpioFile, content: Buffer.from('12345') },
    { name: 'run', mode: cpioProgram, content: Buffer.from('#!') },
  ];
  t.deepEqual(cpioArchive(entries), cpioArchive(entries));
  const busybox = spawnSync('/bin/busybox', ['true']).status === 0;
  const unpack = busybox ? ['/bin/busybox', 'cpio', '-id'] : ['cpio', '-id', '--quiet'];
  const [program = '', ...args] = unpack;
  const dir = await tempDir(t);
  const { status, error } = spawnSync(program, args, { cwd: dir, input: cpioArchive(entries) });
  if (error) return t.pass('there is no cpio here to ask');
  t.is(status, 0);
  t.is(await readFile(join(dir, 'a', 'odd'), 'utf8'), '12345');
  t.is(await readFile(join(dir, 'run'), 'utf8'), '#!');
});

test('a module needs what it imports and exports again, but not what it only has types from', (t) => {
  const source = `import a from 'a';
import type { B } from './b.ts';
import {
  c,
  type D,
} from "./c.ts";
export { e } from './e.ts';
export const text = "import x from 'x'";
`;
  t.deepEqual(importsOf(source), ['a', './c.ts', './e.ts']);
  t.regex(asJavaScript(source), /from "\.\/c\.js"/);
  t.notRegex(asJavaScript(source), /b\.ts|type D/);
});

test('the closure holds sources and packages, with what those depend on, and no types', async (t) => {
  const root = await tempDir(t);
  const files = {
    'main.ts': "import { z } from 'z';\nimport './never-without-from.ts';\nimport { b } from './lib/b.ts';\n",
    'lib/b.ts': "import fs from 'node:fs';\nimport { main } from '../main.ts';\n",
    'node_modules/z/package.json': '{"dependencies":{"deep":"1"}}',
    'node_modules/z/z.js': '',
    'node_modules/z/z.d.ts': '',
    'node_modules/z/node_modules/deep/package.json': '{}',
    'node_modules/deep/package.json': '{"dependencies":{"nowhere":"1"}}',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  t.deepEqual((await importClosure(root, ['main.ts'])).files, [
    'lib/b.ts',
    'main.ts',
    'node_modules/z/node_modules/deep/package.json',
    'node_modules/z/package.json',
    'node_modules/z/z.js',
  ]);
  await t.throwsAsync(importClosure(root, ['gone.ts']), { code: 'IMAGE_INPUT_MISSING' });
});

test("the guest's own modules can all be found", async (t) => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const { files } = await importClosure(root, ['vm-factory/guest/main.ts']);
  t.true(files.includes('registrar/agent/agent.ts'));
  t.true(files.some((file) => file.startsWith('node_modules/pino/')));
  t.false(files.some((file) => file.startsWith('mcp/')));
});
