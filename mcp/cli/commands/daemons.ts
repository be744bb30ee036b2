/** `mcp controller run`, `mcp gateway run`, `mcp agent run` and the local supervisor: the long-lived processes. */
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { runGateway } from '../../../proxy-daemon/main.ts';
import { registryAccess } from '../../../registrar/access.ts';
import { runMachineAgent, runStandaloneAgent } from '../../../registrar/agent/main.ts';
import type { ConnectRegistry } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { McpError } from '../../../specs/errors.ts';
import { readFigures } from '../../control/read-figures.ts';
import { runController } from '../../control/controller.ts';
import { machineProvider } from '../../local/provider.ts';
import { ownerOptions } from '../../local/secret.ts';
import { statePaths } from '../../local/state.ts';
import { supervise } from '../../local/supervisor.ts';
import { daemons, zooKeeperDaemon } from '../../local/up.ts';
import { defaultPolicy } from '../../plan/policy.ts';
import type { Context } from '../context.ts';
import { daemonLog } from '../daemon-log.ts';
import { wholeNumber } from '../numbers.ts';
import { action, type Register } from './run.ts';

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
  const state = context.local();
  const log = daemonLog(id);
  const provider = machineProvider(statePaths(context.stateDir), state);
  try {
    await runController({
      id,
      clusterId: state.clusterId,
      policy: defaultPolicy,
      readFigures,
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
    await provider.close();
  }
  return undefined;
}

export const registerGateway: Register = (program, interrupted) => {
  program
    .command('gateway')
    .description('the gateway of this environment')
    .command('run')
    .description('make routes and document from the registrations; nginx goes on when this ends')
    .option('--id <name>', 'name in the registry', 'gateway-1')
    .action(action<Named>(interrupted, (context, { id }) => gateway(context, id)));
};

async function gateway(context: Context, id: string): Promise<undefined> {
  const state = context.local();
  await runGateway({
    id,
    connect: connector(context, state.sessionTimeoutMs),
    dir: statePaths(context.stateDir).gateway,
    listen: state.gateway,
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
