import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type BakeStep, runStep } from '../../../vm-factory/image/bake-steps.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

async function bench(t: ExecutionContext) {
  const stepsDir = await tempDir(t);
  const steps: string[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const report = {
    step: (name: string, cached: boolean) => void steps.push(`${name}${cached ? ' (cached)' : ''}`),
    output: (line: string) => void lines.push(line),
    note: () => {},
  };
  return { context: { stepsDir, logsDir: await tempDir(t), report, signal: stop.signal }, steps, lines, stop };
}

const shell = (script: string, change: Partial<BakeStep> = {}): BakeStep => ({
  name: 'demo',
  inputs: { script },
  run: ({ command }) => command(['sh', '-c', script]),
  ...change,
});

test('a step runs once for the same inputs, and again for others', async (t) => {
  const { context, steps, lines } = await bench(t);
  const first = await runStep(context, shell('echo working; echo made > result'));
  t.is(await readFile(join(first, 'result'), 'utf8'), 'made\n');
  t.is(await runStep(context, shell('echo working; echo made > result')), first);
  t.not(await runStep(context, shell('echo other > result')), first);
  t.deepEqual(steps, ['demo', 'demo (cached)', 'demo']);
  t.deepEqual(lines, ['working']);
});

test('a step that fails names itself and shows its last output, and leaves nothing', async (t) => {
  const { context } = await bench(t);
  const error = await t.throwsAsync(runStep(context, shell('echo part > part; echo "no space" >&2; exit 7')), {
    code: 'IMAGE_STEP_FAILED',
  });
  t.regex(error?.message ?? '', /"demo": sh ended with 7\nno space/);
  t.deepEqual(await readdir(join(context.stepsDir, 'staging')), []);
  t.deepEqual(await readdir(context.stepsDir), ['staging']);
});

test('a step that hangs is ended after its time', async (t) => {
  const { context } = await bench(t);
  await t.throwsAsync(runStep(context, shell('exec sleep 60', { timeoutMs: 200 })), { code: 'IMAGE_STEP_FAILED' });
});

test("a bake that is called off ends its step's command and says why it ended", async (t) => {
  const { context, stop } = await bench(t);
  const running = runStep(context, shell('exec sleep 60'));
  setImmediate(() => stop.abort(new Error('enough')));
  await t.throwsAsync(running, { message: 'enough' });
});

test('two bakes of one step at once both get it', async (t) => {
  const { context } = await bench(t);
  const step = shell('sleep 0.1; echo made > result');
  const [one, two] = await Promise.all([runStep(context, step), runStep(context, step)]);
  t.is(one, two);
  t.true(existsSync(join(one, 'result')));
});
