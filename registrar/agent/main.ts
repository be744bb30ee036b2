/** The agent's entrances for the command line. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { z } from 'zod';
import { McpError } from '../../specs/errors.ts';
import type { HealthCheck } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';
import type { ConnectRegistry } from '../registry-client.ts';
import { systemClock } from '../system-clock.ts';
import { connectZooKeeper, type ZooKeeperOptions } from '../zookeeper/client.ts';
import { runAgent } from './agent.ts';
import { ConsoleLog, renderLogLine } from './console-log.ts';
import { HostSide, hostSideSchema } from './host-side.ts';
import { LastSession } from './last-session.ts';
import { MachineRights } from './machine-rights.ts';
import { RotatingLog } from './rotating-log.ts';
import { runStandalone } from './standalone.ts';
import type { WarmService } from './warm-service.ts';

/** Long enough for a loaded machine, short enough that a dead one is noticed. */
const defaultSessionTimeoutMs = 10_000;

const machineConfig = z.object({
  uuid: z.string().regex(/^[0-9a-zA-Z-]{1,64}$/),
  address: z.union([z.ipv4(), z.ipv6()]),
  /** Connect string with chroot. */
  registry: z.string().min(1),
  clusterId: z.string().min(1),
  /** The machine's directory. */
  dir: z.string().startsWith('/'),
  sessionTimeoutMs: z.int().min(1_000).max(300_000).optional(),
  /** Its rights in the registry; absent: those it is started with. */
  access: z.object({ auth: z.array(z.object({ scheme: z.string(), auth: z.string() })), owner: z.string() }).optional(),
  /** Where the machine is behind its host's address translation. */
  host: hostSideSchema.optional(),
});

/**
 * Runs a machine's agent as its configuration file says (JSON: uuid, address, registry, clusterId, dir, and optionally
 * sessionTimeoutMs) until the signal aborts; `auth` gives its registry credentials where the file has none. It logs to `<dir>/agent.log`, JSON lines, and its
 * words and its service's go to standard output, the machine's console.
 * Errors: AGENT_BAD_CONFIG, and those of `runAgent`.
 */
export async function runMachineAgent(
  configFile: string,
  { auth, signal, warm }: { auth?: () => ZooKeeperOptions['auth']; signal: AbortSignal; warm?: WarmService | null },
): Promise<void> {
  const { registry, sessionTimeoutMs, host, access, ...config } = await readConfig(configFile);
  const rights = access && new MachineRights(config.uuid, access);
  const last = new LastSession(config.dir);
  const console = new ConsoleLog((text) => void process.stdout.write(text), systemClock);
  const file = new RotatingLog(join(config.dir, 'agent.log'), {}, console.voice('agent', renderLogLine).write);
  const log = pino({ base: { machine: config.uuid } }, file);
  const connect = connector(registry, {
    auth: access?.auth ?? auth?.(),
    aclOf: rights?.acl,
    onSession: (credentials) => void last.keep(credentials),
    sessionTimeoutMs: sessionTimeoutMs ?? defaultSessionTimeoutMs,
    endTurnedAway: true,
    onTrouble: (error) => log.warn({ err: error }, 'registry connection'),
  });
  try {
    await mkdir(config.dir, { recursive: true });
    await last.end(registry);
    await runAgent({
      config,
      connect,
      rights,
      clock: systemClock,
      log,
      signal,
      console,
      host: host && new HostSide(host),
      warm,
    });
  } catch (error) {
    log.fatal({ err: error }, 'agent failed');
    throw error;
  } finally {
    await file.flush();
  }
}

export interface StandaloneAgentOptions {
  connect: ConnectRegistry;
  service: string;
  version: string;
  port: number;
  /** IP address of the process. */
  address: string;
  /** GET this path for its health; absent: connect to the port. */
  healthPath?: string;
  /** Path of its OpenAPI document. */
  document?: string;
  /** Where it is, [a-z0-9-]{1,40}: gateways prefer instances of their own zone. */
  zone?: string;
  /** The longest wait for requests in flight, ms. */
  drainTimeoutMs: number;
  clock: Clock;
  log: Logger;
}

const standaloneHealth = { intervalMs: 1_000, timeoutMs: 1_000, rise: 1, fall: 3 };

/**
 * Registers a process that someone else runs, under a new random id, until the signal aborts and it has drained.
 * Errors: AGENT_BAD_CONFIG, and those of `runStandalone`.
 */
export async function runStandaloneAgent(options: StandaloneAgentOptions, signal: AbortSignal): Promise<void> {
  const { healthPath, ...rest } = options;
  const { service, version, port, address, zone = '-' } = rest;
  if (isIP(address) === 0) throw badConfig(`${address} is not an IP address`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badConfig(`${port} is not a port`);
  if (!/^[a-z0-9-]{1,40}$/.test(zone)) throw badConfig(`${JSON.stringify(zone)} is not a zone`);
  for (const name of [service, version])
    if (!/^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,63}$/.test(name)) throw badConfig(`${JSON.stringify(name)} is not a name`);
  const health: HealthCheck =
    healthPath === undefined
      ? { kind: 'tcp', ...standaloneHealth }
      : { kind: 'http', path: healthPath, ...standaloneHealth };
  await runStandalone({ ...rest, uuid: randomUUID(), health, signal });
}

function connector(registry: string, how: ZooKeeperOptions): ConnectRegistry {
  return (options) => connectZooKeeper(registry, { ...how, ...options });
}

async function readConfig(path: string) {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw badConfig(`${path} can't be read`, error);
  });
  try {
    return machineConfig.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : 'it is not JSON';
    throw badConfig(`${path}: ${why}`, error);
  }
}

function badConfig(message: string, cause?: unknown): McpError {
  return new McpError('AGENT_BAD_CONFIG', message, { cause, hint: "Correct the agent's configuration." });
}
