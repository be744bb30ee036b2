/** `mcp controller run`, `mcp gateway run`, `mcp agent run` and the local supervisor: the long-lived processes. */

import { flushCompileCache } from 'node:module';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import { runGateway } from '../../../proxy-daemon/main.ts';
import { registryAccess } from '../../../registrar/access.ts';
import { runMachineAgent, runStandaloneAgent } from '../../../registrar/agent/main.ts';
import { appendEvent } from '../../../registrar/recipes/event-log.ts';
import { release } from '../../../registrar/recipes/releases.ts';
import type { ConnectRegistry } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { McpError } from '../../../specs/errors.ts';
import { runController } from '../../control/controller.ts';
import { readFigures, readInFlight } from '../../control/read-figures.ts';
import { SpecGate } from '../../control/spec-gate.ts';
import { machineProvider } from '../../local/provider.ts';
import { ownerOptions } from '../../local/secret.ts';
import { statePaths } from '../../local/state.ts';
import { supervise } from '../../local/supervisor.ts';
import { daemons, zooKeeperDaemon } from '../../local/up.ts';
import { defaultPolicy, type Policy } from '../../plan/policy.ts';
import type { Context } from '../context.ts';
import { daemonLog } from '../daemon-log.ts';
import { wholeNumber } from '../numbers.ts';
import { addKey } from './gateway-key.ts';
import { addLog } from './gateway-log.ts';
import { action, type Register } from './run.ts';
import { addTraffic } from './traffic.ts';

interface Named {
  id: string;
}

export const registerController: Register = (program, interrupted) => {
  program
    .command('controller')
    .description('the controller of this environment')
    .command('run')
    .description('lead, or stand by until the leader is gone; SIGTERM ends it and leaves everything running')
    .option('--id <name>', 'name in events and status', 'controller-1')
    .action(action<Named>(interrupted, (context, { id }) => controller(context, id)));
};

async function controller(context: Context, id: string): Promise<undefined> {
  // Node keeps what it compiled when it ends; machines are started before.
  flushCompileCache();
  const state = context.local();
  const log = daemonLog(id);
  const provider = machineProvider(statePaths(context.stateDir), state);
  const documents = new SpecGate(systemClock);
  try {
    await runController({
      id,
      clusterId: state.clusterId,
      policy: policyOfThisHost(),
      readFigures,
      readInFlight,
      lookAtDocuments: (snapshot, rollouts, news) => documents.look(snapshot, rollouts, news),
      registry: context.registry(),
      access: registryAccess(context.auth()),
      connect: connector(context, state.sessionTimeoutMs),
      provider,
      allowLoopback: context.reading().allowLoopback,
      clock: systemClock,
      log,
      signal: context.signal,
    });
  } finally {
    await documents.close();
    await provider.close();
  }
  return undefined;
}

/** Two machines or services that start for each processor keep it busy; more only make each other late. */
function policyOfThisHost(): Policy {
  const { pool } = defaultPolicy;
  return { ...defaultPolicy, pool: { ...pool, sharedHostInFlight: 2 * availableParallelism() } };
}

export const registerGateway: Register = (program, interrupted) => {
  const command = program.command('gateway').description('the gateway of this environment');
  command
    .command('run')
    .description('make routes and document from the registrations; nginx goes on when this ends')
    .option('--id <name>', 'name in the registry', 'gateway-1')
    .addOption(
      new Option('--mode <mode>', 'how nginx is fed (default: as the environment declares)').choices([
        'auto',
        'dynamic',
        'plain',
      ]),
    )
    .option('--zone <name>', 'zone it is in: instances there are preferred')
    .option('--http2-port <n>', 'port for HTTP/2 without TLS, for gRPC', wholeNumber(1, 65_535))
    .option('--tables <MiB>', 'room in nginx for the routes', wholeNumber(1, 4096), 64)
    .action(action<GatewayWords>(interrupted, gateway));
  addTraffic(command, interrupted);
  addKey(command, interrupted);
  addLog(command, interrupted);
  command
    .command('release')
    .description('let go of instances that vanished from the registry and that gateways hold because they still answer')
    .option('--service <name>', 'only of this service')
    .option('--reason <text>', 'why, for everyone who wonders', '')
    .action(action<{ service?: string; reason: string }>(interrupted, releaseHeld));
};

interface GatewayWords extends Named {
  mode?: 'auto' | 'dynamic' | 'plain';
  zone?: string;
  http2Port?: number;
  tables: number;
}

/** Tells all gateways, and logs who did it and why (P16). */
async function releaseHeld(
  context: Context,
  { service, reason }: { service?: string; reason: string },
): Promise<undefined> {
  const at = systemClock.now();
  const asOf = await context.withRegistry(async (client) => {
    const told = await release(client, { service: service ?? null, reason, by: context.actor, at });
    const message = `instances of ${service ?? 'all services'} that are missing are held no longer`;
    const of = service === undefined ? {} : { service };
    await appendEvent(client, { at, actor: context.actor, kind: 'gateway.released', ...of, message, reason });
    return told;
  });
  if (context.json) context.printJson({ service: service ?? null, asOf, reason });
  else context.print(`Released: what is missing of ${service ?? 'all services'} gets no requests any more.`);
  return undefined;
}

async function gateway(context: Context, words: GatewayWords): Promise<undefined> {
  const { id, mode, zone, http2Port, tables } = words;
  const state = context.local();
  await runGateway({
    id,
    connect: connector(context, state.sessionTimeoutMs),
    connectForeign: (hosts) => foreignConnector(context, hosts, state.sessionTimeoutMs),
    dir: statePaths(context.stateDir).gateway,
    listen: state.gateway,
    mode,
    zone,
    ...(http2Port === undefined ? {} : { http2: { address: state.gateway.address, port: http2Port } }),
    tableBytes: tables * 1024 * 1024,
    allowLoopback: context.reading().allowLoopback,
    clock: systemClock,
    log: daemonLog(id),
    signal: context.signal,
  });
  return undefined;
}

interface AgentOptions {
  machine?: string;
  service?: string;
  version?: string;
  port?: number;
  address: string;
  health?: string;
  document?: string;
  zone?: string;
  drainTimeout: number;
}

export const registerAgent: Register = (program, interrupted) => {
  program
    .command('agent')
    .description('the agent of a machine, or of any process')
    .command('run')
    .description(
      'register a healthy service: in a machine (--machine), or beside a process that runs already (--service)',
    )
    .option('--machine <file>', 'configuration that the machine was given')
    .option('--service <name>', 'register a process that runs already, as an instance of this service')
    .option('--version <version>', 'its version')
    .option('--port <n>', 'its port', wholeNumber(1, 65_535))
    .option('--address <ip>', 'its IP address', ipAddress, '127.0.0.1')
    .option('--health <path>', 'GET this path for its health (default: connect to the port)')
    .option('--document <path>', 'path of its OpenAPI document')
    .option('--zone <name>', 'zone it is in: gateways there prefer it')
    .option('--drain-timeout <ms>', 'longest wait for requests in flight when ended', wholeNumber(0, 3_600_000), 30_000)
    .action(action<AgentOptions>(interrupted, agent));
};

function ipAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Give an IP address.');
  return text;
}

async function agent(context: Context, options: AgentOptions): Promise<undefined> {
  if (options.machine !== undefined) {
    await runMachineAgent(options.machine, { auth: context.auth, signal: context.signal });
    return undefined;
  }
  const { service, version, port } = options;
  if (!service || !version || port === undefined) {
    throw new McpError('USAGE_AGENT', 'an agent runs in a machine or beside a process', {
      hint: 'Give --machine FILE, or --service, --version and --port.',
    });
  }
  await runStandaloneAgent(
    {
      connect: connector(context, 10_000),
      service,
      version,
      port,
      address: options.address,
      healthPath: options.health,
      document: options.document,
      zone: options.zone,
      drainTimeoutMs: options.drainTimeout,
      clock: systemClock,
      log: daemonLog(`agent ${service}@${version}`),
    },
    context.signal,
  );
  return undefined;
}

export const registerSupervisor: Register = (program, interrupted) => {
  program
    .command('supervisor', { hidden: true })
    .command('run')
    .description('keep the daemons of the local environment running')
    .action(action(interrupted, supervisor));
};

async function supervisor(context: Context): Promise<undefined> {
  const state = context.local();
  const paths = statePaths(context.stateDir);
  const specs = daemons(context.stateDir, state).filter(({ name }) => name !== 'supervisor');
  await supervise([await zooKeeperDaemon(paths, state), ...specs], paths, {
    clock: systemClock,
    log: daemonLog('supervisor'),
    random: Math.random,
    signal: context.signal,
  });
  return undefined;
}

function connector(context: Context, sessionTimeoutMs: number): ConnectRegistry {
  const registry = context.registry();
  const auth = context.auth();
  return (options) => connectZooKeeper(registry, { sessionTimeoutMs, ...ownerOptions(auth), signal: options?.signal });
}

/** At ZooKeeper's own root. Our credentials are for our own ensemble alone. */
function foreignConnector(context: Context, hosts: string | null, sessionTimeoutMs: number): ConnectRegistry {
  const auth = hosts === null ? context.auth() : undefined;
  const servers = hosts ?? context.registry().replace(/\/.*$/, '');
  return (options) => connectZooKeeper(servers, { sessionTimeoutMs, auth, signal: options?.signal });
}
