import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { smallDocument, startDocumentServer } from '../../helpers/document-server.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const cli = fileURLToPath(new URL('../../../mcp/cli/main.ts', import.meta.url));

function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [cli, 'check-document', ...words], (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

test('mcp check-document exits with 3 for what breaks callers, with 0 for what does not, and names the document at fault', async (t) => {
  const dir = await tempDir(t);
  const server = await startDocumentServer(smallDocument(['/things', '/old']));
  t.teardown(() => server.close());
  const old = `http://127.0.0.1:${server.port}/openapi.json`;
  const [fewer, bad] = [join(dir, 'fewer.json'), join(dir, 'bad.json')];
  await writeFile(fewer, JSON.stringify(smallDocument(['/things'])));
  await writeFile(bad, '{}');
  const [breaking, safe, unusable] = await Promise.all([run(old, fewer), run(fewer, old, '--json'), run(fewer, bad)]);
  t.is(breaking.code, 3, breaking.err);
  t.regex(breaking.out, /breaking +GET \/old +operation +GET \/old is gone/);
  t.is(safe.code, 0, safe.err);
  t.like(JSON.parse(safe.out), { verdict: 'safe', counts: { breaking: 0, risky: 0, safe: 1 } });
  t.is(unusable.code, 1);
  t.regex(unusable.err, /DOCUMENT_VERSION\] .*bad\.json: neither Swagger/);
});
