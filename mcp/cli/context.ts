/** What every command gets: where it works, how it prints, how it reaches the registry. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { McpError } from '../../specs/errors.ts';
import type { ReadOptions } from '../control/read-status.ts';
import { ownerOptions, type RegistryAuth, readSecret } from '../local/secret.ts';
import { findStateDir, type LocalState, readState, registryOf, requireState, statePaths } from '../local/state.ts';

interface GlobalOptions {
  json?: boolean;
  state?: string;
  registry?: string;
  authFile?: string;
  color?: boolean;
}

export interface Context {
  json: boolean;
  color: boolean;
  stateDir: string;
  /** `operator:<user>`, for events and history. */
  actor: string;
  signal: AbortSignal;
  /** One line or block of the result, on stdout. */
  print(text: string): void;
  /** The whole result as one JSON document, on stdout. */
  printJson(value: unknown): void;
  /** Words beside the result, on stderr; silent with --json. */
  note(text: string): void;
  /** The local environment; an error that says what to do where there is none. */
  local(): LocalState;
  /** A ZooKeeper connect string with chroot. */
  registry(): string;
  /** Credentials for the registry; none where a registry is named without any. */
  auth(): RegistryAuth;
  /** How the registry is to be read. */
  reading(): ReadOptions;
  /** Runs with a connection of its own and closes it. */
  withRegistry<T>(use: (client: RegistryClient) => Promise<T>): Promise<T>;
}

const connectWithinMs = 8000;

/** The context of one command run. */
export function makeContext(command: Command, signal: AbortSignal): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const json = options.json === true;
  const stateDir = findStateDir(options.state, process.cwd(), process.env);
  const color = !json && options.color !== false && process.stdout.isTTY === true && !process.env.NO_COLOR;
  const named = options.registry ?? process.env.MCP_REGISTRY;
  const registry = () => named ?? registryOf(requireState(stateDir));
  const authFile = options.authFile ?? process.env.MCP_AUTH_FILE;
  const auth = () => {
    if (authFile) return readSecret(authFile);
    const { secret } = statePaths(stateDir);
    return named || !existsSync(secret) ? [] : readSecret(secret);
  };
  return {
    json,
    color,
    stateDir,
    actor: `operator:${operatorName()}`,
    signal,
    print: (text) => process.stdout.write(`${text}\n`),
    printJson: (value) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    note: (text) => {
      if (!json) process.stderr.write(`${text}\n`);
    },
    local: () => requireState(stateDir),
    registry,
    auth,
    reading: () => ({ signal, allowLoopback: /^(127\.|localhost)/.test(registry()) }),
    async withRegistry(use) {
      const client = await connect(registry(), auth(), signal, !named && readState(stateDir) !== null);
      try {
        return await whileConnected(client, use);
      } finally {
        await client.close();
      }
    },
  };
}

function operatorName(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** As `use`, but given up when the connection has been gone for as long as a first one may take: nobody waits for ever. */
async function whileConnected<T>(client: RegistryClient, use: (client: RegistryClient) => Promise<T>): Promise<T> {
  const lost = Promise.withResolvers<never>();
  let patience: NodeJS.Timeout | undefined;
  const stopLooking = client.onState((state) => {
    clearTimeout(patience);
    if (state !== 'suspended') return;
    const seconds = connectWithinMs / 1000;
    const gone = new McpError('REGISTRY_UNREACHABLE', `ZooKeeper has not answered for ${seconds} s`, {
      retryable: true,
      hint: 'What was asked for may have been done; look again when it is back.',
    });
    patience = setTimeout(() => lost.reject(gone), connectWithinMs);
  });
  try {
    return await Promise.race([use(client), lost.promise]);
  } finally {
    clearTimeout(patience);
    stopLooking();
  }
}

async function connect(
  registry: string,
  auth: RegistryAuth,
  signal: AbortSignal,
  local: boolean,
): Promise<RegistryClient> {
  const timeout = AbortSignal.timeout(connectWithinMs);
  try {
    return await connectZooKeeper(registry, {
      sessionTimeoutMs: 10_000,
      ...ownerOptions(auth),
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw new McpError(
      'REGISTRY_UNREACHABLE',
      `no ZooKeeper answers at ${registry} within ${connectWithinMs / 1000} s`,
      {
        cause,
        retryable: true,
        hint: local
          ? 'Run `npm run up` to start it again; traffic through the gateway goes on meanwhile.'
          : 'Check --registry.',
      },
    );
  }
}
