/** `mcp up`: the local environment, from nothing to served. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { McpError } from '../../../specs/errors.ts';
import { down } from '../../local/down.ts';
import { type FolderHolder, holdFolder } from '../../local/folder-lock.ts';
import { readState } from '../../local/state.ts';
import { type UpOptions, up } from '../../local/up.ts';
import type { StatusView } from '../../view/status-view.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { paint } from '../output.ts';
import { makeProgress } from '../progress.ts';
import { renderStatus } from '../render-status.ts';
import { takeDown } from './down.ts';
import { action, type Register } from './run.ts';

const example = fileURLToPath(new URL('../../../specs/examples/hosting.yaml', import.meta.url));

interface Options {
  file?: string;
  port: number;
  controllers: number;
  provider: 'process' | 'qemu';
  sessionTimeout: number;
  foreground?: boolean;
}

export const registerUp: Register = (program, interrupted) => {
  program
    .command('up')
    .description('start the local environment and wait until what is declared is served')
    .option('-f, --file <yaml>', 'environment to declare at the first start (default: the hosting example)')
    .option('--port <n>', 'wanted port of the gateway (0: any free one)', wholeNumber(0, 65_535), 8080)
    .addOption(
      new Option(
        '--provider <name>',
        'what machines are, at the first start: virtual machines or process groups of this host',
      )
        .choices(['qemu', 'process'])
        .default('qemu'),
    )
    .option('--controllers <n>', 'controllers to run; one leads, the others stand by', wholeNumber(1, 5), 1)
    .option(
      '--session-timeout <ms>',
      'ZooKeeper session timeout of controllers, gateway and agents',
      wholeNumber(1000, 60_000),
      10_000,
    )
    .option('--foreground', 'stay; Ctrl-C stops and removes the environment')
    .action(action<Options>(interrupted, run));
};

async function run(context: Context, options: Options): Promise<undefined> {
  const file = resolve(options.file ?? example);
  if (!existsSync(file))
    throw new McpError('USAGE_FILE', `there is no file ${file}`, { hint: 'Name an environment with --file.' });
  const release = await holdFolder(context.stateDir, {
    signal: context.signal,
    onBusy: (holder) => context.note(`waiting for another mcp${pidOf(holder)} that works on ${context.stateDir}`),
  });
  try {
    await start(context, options, file);
  } finally {
    release();
  }
  if (options.foreground) await stay(context);
  return undefined;
}

function pidOf(holder: FolderHolder | null): string {
  return holder ? ` (pid ${holder.identity.pid})` : '';
}

async function start(context: Context, options: Options, file: string): Promise<void> {
  const started = performance.now();
  const existed = readState(context.stateDir) !== null;
  const settings: UpOptions = {
    dir: context.stateDir,
    file,
    fileNamed: options.file !== undefined,
    port: options.port,
    controllers: options.controllers,
    provider: options.provider,
    sessionTimeoutMs: options.sessionTimeout,
    actor: context.actor,
    signal: context.signal,
  };
  const progress = makeProgress(context);
  try {
    const { state, status, declared } = await up(settings, progress);
    progress.done();
    if (options.file !== undefined && !declared)
      context.note(`What is declared already stays; to change it: mcp apply -f ${options.file}`);
    if (!existed && options.port !== 0 && options.port !== state.gateway.port)
      context.note(`Port ${options.port} is taken: the gateway listens on ${state.gateway.port}.`);
    const url = `http://${state.gateway.address}:${state.gateway.port}`;
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    if (context.json)
      context.printJson({
        url,
        document: `${url}/openapi.json`,
        docs: `${url}/docs/`,
        seconds,
        state: context.stateDir,
        status,
      });
    else context.print(welcome(context, url, status, seconds, existed));
  } catch (error) {
    progress.fail();
    // A first start that was cut off leaves nothing; one that failed stays, so that its logs can be read.
    if (!existed && context.signal.aborted) {
      context.note('Interrupted: what was started is stopped and removed again.');
      await down(context.stateDir, () => undefined);
    }
    throw error;
  }
}

/** What a newcomer needs next. */
function welcome(context: Context, url: string, status: StatusView, seconds: number, existed: boolean): string {
  const title = paint(
    context.color,
    ['bold', 'green'],
    existed ? `Running (checked in ${seconds} s)` : `Up in ${seconds} s`,
  );
  const link = (text: string) => paint(context.color, 'cyan', text);
  return [
    '',
    title,
    '',
    renderStatus({ ...status, waiting: [] }, context.color),
    '',
    `  gateway    ${link(`${url}/`)}`,
    `  document   ${link(`${url}/openapi.json`)}`,
    `  docs       ${link(`${url}/docs/`)}`,
    `  status     ${link(`${url}/status`)}`,
    '',
    'Try next:',
    ...tries(context, url, status).map((line) => `  ${line}`),
  ].join('\n');
}

/** Commands that work as they stand, for the first service that is declared. */
function tries(context: Context, url: string, { environment, services }: StatusView): string[] {
  const usual = context.stateDir === join(process.cwd(), '.mcp');
  const mcp = usual ? 'npx mcp' : `npx mcp --state ${context.stateDir}`;
  const service = services.find(({ name }) => name === 'dns') ?? services[0];
  const path = environment === 'hosting' && service?.name === 'dns' ? '/dns/zones' : `${service?.route ?? ''}/`;
  const [version, second] = service?.versions ?? [];
  const target = second ? `${service?.name}@${version?.version}` : service?.name;
  return [
    `curl ${url}${path}`,
    ...(service ? [`${mcp} scale ${target} ${(version?.desired ?? 0) + 2}`, `${mcp} why ${service.name}`] : []),
    `${mcp} watch`,
    `${usual ? 'npm run down' : `${mcp} down`}    # stops and removes everything in ${context.stateDir}`,
  ];
}

async function stay(context: Context): Promise<void> {
  context.note('\nRunning in the foreground; Ctrl-C stops and removes everything.');
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    context.signal.addEventListener('abort', () => {
      clearInterval(alive);
      resolve();
    });
  });
  await takeDown(context, { keep: false });
}
