/**
 * Run as a program: virtual machines whose folder argv[2] is on a small disk, which fills up. Prints what became of them as JSON.
 * argv[3] is JSON of the provider's options, without what can't be written so.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../registrar/system-clock.ts';
import { isMcpError } from '../../specs/errors.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { withQmp } from '../../vm-factory/qemu/qmp-client.ts';
import { pidsBelow, qemusBelow, testImages } from './qemu-machines.ts';
import { until } from './until.ts';

const dir = process.argv[2] ?? '';
const options = JSON.parse(process.argv[3] ?? '{}');
const open = () => new QemuProvider({ ...options, dir, images: testImages, clock: systemClock });
const provider = open();
const keeper = open();

const request = () => ({
  uuid: randomUUID(),
  operation: randomUUID(),
  clusterId: options.clusterId,
  image: minimalImage,
  registry: '127.0.0.1:1/mcp',
});

/** Not a byte more fits. */
function fill(): void {
  for (const bytes of [65_536, 4_096, 1]) {
    try {
      for (;;) appendFileSync(join(dir, 'filling'), Buffer.alloc(bytes));
    } catch {
      // Smaller ones may still fit.
    }
  }
}

async function tryToCreate() {
  const error = await provider.create(request()).catch((cause: unknown) => cause);
  if (!isMcpError(error)) return { code: String(error) };
  return { code: error.code, message: error.message, hint: error.hint, retryable: error.retryable };
}

function drafts(): string[] {
  return ['staging', 'stock-staging', 'stock'].flatMap((name) => readdirSync(join(dir, name)));
}

async function answers(uuid: string): Promise<boolean> {
  const pid = readlinkSync(join(dir, 'machines', uuid, 'identity')).split(':')[0];
  const status = await withQmp(`/proc/${pid}/cwd/qmp.sock`, (qmp) => qmp.execute('query-status'));
  return (status as { status: string }).status === 'running';
}

try {
  const first = await provider.create(request());
  await until('it has joined', async () => (await provider.find(first.operation))?.state === 'running', 60_000);
  const console = join(dir, 'machines', first.uuid, 'vm', 'console.log');
  // A guest that talks too much.
  writeFileSync(console, 'x'.repeat(1.5 * 1024 ** 2), { flag: 'a' });
  fill();
  const refusals = [await tryToCreate(), await tryToCreate()];
  const whileFull = {
    drafts: drafts(),
    running: qemusBelow(dir).length,
    states: (await provider.list()).map(({ state }) => state),
    answers: await answers(first.uuid),
  };
  // Nobody makes room but the housekeeping, by cutting the console off.
  keeper.events(() => {});
  await until('the console is cut off', () => statSync(console).size < 1024 ** 2);
  const second = await provider.create(request());
  await until('another joined', async () => (await provider.find(second.operation))?.state === 'running', 60_000);
  fill();
  // What is no more needs no room.
  await provider.destroy(second);
  await provider.destroy(first);
  // What served a guest's question a moment ago ends by itself.
  await until('nothing runs', () => pidsBelow(dir).length === 0);
  const left = { drafts: drafts(), running: pidsBelow(dir).length, machines: readdirSync(join(dir, 'machines')) };
  process.stdout.write(JSON.stringify({ refusals, whileFull, left }));
} finally {
  rmSync(join(dir, 'filling'), { force: true });
  for (const machine of await provider.list()) await provider.destroy(machine);
  await provider.emptyStock();
  await Promise.all([provider.close(), keeper.close()]);
}
