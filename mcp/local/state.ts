/** The one folder that a local environment lives in (`.mcp/`, `--state DIR`), and what it remembers about itself. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { McpError } from '../../specs/errors.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';

const stateSchema = z.object({
  format: z.literal(1),
  createdAt: z.number(),
  clusterId: z.string(),
  provider: z.enum(['process', 'qemu']),
  /** Only with the qemu provider. */
  qemu: z
    .object({
      /** Folder of baked images; it outlives environments. */
      images: z.string(),
      version: z.string(),
      accelerator: z.enum(['kvm', 'tcg']),
      /** Why it is not KVM; empty where it is. */
      why: z.string(),
    })
    .optional(),
  zookeeperPort: z.number(),
  gateway: z.object({ address: z.string(), port: z.number() }),
  /** First three numbers of the machines' loopback addresses, e.g. `127.31.7`. */
  addressBlock: z.string(),
  /** Absolute path of the file that `up` declared first. */
  environmentFile: z.string(),
  controllers: z.number().int().min(1),
  /** Session timeout in ms of everything that keeps a session. */
  sessionTimeoutMs: z.number().int().min(1000),
});

export type LocalState = z.infer<typeof stateSchema>;

/** Every path inside a state folder. */
export function statePaths(dir: string) {
  return {
    dir,
    state: join(dir, 'local.json'),
    secret: join(dir, 'registry-secret'),
    run: join(dir, 'run'),
    logs: join(dir, 'logs'),
    zookeeper: join(dir, 'zookeeper'),
    gateway: join(dir, 'gateway'),
    factory: join(dir, 'factory'),
    artifacts: join(dir, 'artifacts'),
    compiled: join(dir, 'compiled'),
  };
}
export type StatePaths = ReturnType<typeof statePaths>;

/**
 * The state folder meant: `--state`, else MCP_STATE, else the nearest `.mcp` with an environment at or above the current
 * folder, else `.mcp` here.
 */
export function findStateDir(explicit: string | undefined, cwd: string, env: NodeJS.ProcessEnv): string {
  const named = explicit ?? env.MCP_STATE;
  if (named) return resolve(cwd, named);
  for (let dir = cwd; ; dir = dirname(dir)) {
    const candidate = join(dir, '.mcp');
    if (existsSync(statePaths(candidate).state)) return candidate;
    if (dir === dirname(dir)) return join(cwd, '.mcp');
  }
}

/** The environment of a state folder, or null where none has been made. */
export function readState(dir: string): LocalState | null {
  const file = statePaths(dir).state;
  if (!existsSync(file)) return null;
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new McpError('STATE_INVALID', `${file} is not a state file of this version`, {
      cause,
      hint: 'Run `mcp down` with the version that made it, or remove the folder by hand.',
    });
  }
}

/** Like `readState`, with an error for people where there is no environment. */
export function requireState(dir: string): LocalState {
  const state = readState(dir);
  if (state) return state;
  throw new McpError('STATE_MISSING', `no environment in ${dir}`, {
    hint: 'Run `npm run up` first, or name the folder with --state, or a registry with --registry.',
  });
}

/** Writes atomically; refuses a folder that holds something else. Errors: STATE_NOT_OURS, STATE_UNWRITABLE. */
export async function writeState(dir: string, state: LocalState): Promise<void> {
  try {
    await write(dir, state);
  } catch (cause) {
    if (cause instanceof McpError) throw cause;
    throw new McpError(
      'STATE_UNWRITABLE',
      `${dir} can't be written: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
        hint: 'Name a folder of yours with --state, and see that its disk is not full.',
      },
    );
  }
}

async function write(dir: string, state: LocalState): Promise<void> {
  const file = statePaths(dir).state;
  const candidate = `${file}.tmp`;
  if (!existsSync(file) && existsSync(dir) && (await readdir(dir)).some((name) => join(dir, name) !== candidate)) {
    throw new McpError('STATE_NOT_OURS', `${dir} is not empty and holds no environment of ours`, {
      hint: 'Name an empty or new folder with --state.',
    });
  }
  await mkdir(dir, { recursive: true, mode: 0o755 });
  await writeFile(candidate, `${JSON.stringify(state, null, 2)}\n`);
  await rename(candidate, file);
}

/** The image that machines get where an environment names none: `process` is no image of virtual machines. */
export function defaultImageOf(state: Pick<LocalState, 'provider'>): string {
  return state.provider === 'qemu' ? minimalImage : 'process';
}

/** ZooKeeper connect string of the environment, with our chroot. */
export function registryOf(state: LocalState): string {
  return `127.0.0.1:${state.zookeeperPort}/mcp`;
}
