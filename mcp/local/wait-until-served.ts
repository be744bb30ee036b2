/** Waits until all that is declared is served; tells what is still missing on the way. */
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { McpError } from '../../specs/errors.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import { isUp } from '../control/ask-gateway.ts';
import { readStatus } from '../control/read-status.ts';
import { isConverged, type StatusView } from '../view/status-view.ts';
import { whatIsMissing } from '../view/what-is-missing.ts';
import type { StatePaths } from './state.ts';

export interface WaitUntilServed {
  client: RegistryClient;
  provider: MachineProvider;
  paths: StatePaths;
  progress: { start(title: string): void; tell(detail: string): void };
  signal: AbortSignal;
}

/** Machines that are emulated take their time; what gets no further this long, ms, will not come. */
const patienceMs = 180_000;

/**
 * Resolves when desired = live, every gateway serves it, and that is no mere memory: after a power cut the registry shows
 * sessions of before as living until they expire. Errors: UP_TIMEOUT where nothing more comes, which says what is missing.
 */
export async function waitUntilServed(options: WaitUntilServed): Promise<StatusView> {
  const { client, paths, progress } = options;
  progress.start('Build machines, start services, serve them');
  const stuck = new AbortController();
  const signal = AbortSignal.any([options.signal, stuck.signal]);
  const patience = setTimeout(() => stuck.abort(), patienceMs);
  let missing = 'the registry does not answer';
  let most = -1;
  try {
    for (;;) {
      const status = await readStatus(client, { signal, allowLoopback: true });
      missing = isServed(status) ? await ghosts({ ...options, signal }, status) : whatIsMissing(status);
      if (missing === '') return status;
      progress.tell(missing);
      const there = howMuchIsThere(status);
      if (there > most) patience.refresh();
      most = Math.max(most, there);
      await systemClock.sleep(100, signal);
    }
  } catch (cause) {
    if (!stuck.signal.aborted || options.signal.aborted) throw cause;
    throw new McpError('UP_TIMEOUT', `nothing more has come for ${patienceMs / 60_000} min: ${missing}`, {
      hint: `Look at "mcp status", "mcp why SERVICE" and the logs in ${paths.logs}.`,
    });
  } finally {
    clearTimeout(patience);
  }
}

function isServed(status: StatusView): boolean {
  return (
    status.services.length > 0 &&
    isConverged(status) &&
    status.gateways.length > 0 &&
    status.gateways.every(({ generation }) => generation > 0)
  );
}

/** Grows with each machine that is ready and each instance that is live; what dies and comes again adds nothing. */
function howMuchIsThere({ services, pool }: StatusView): number {
  return services.reduce((sum, { live }) => sum + live, pool.ready);
}

/** What the registry shows as living and is not; empty where all of it lives. */
async function ghosts({ provider, signal }: WaitUntilServed, status: StatusView): Promise<string> {
  const machines = await provider.list(signal);
  const running = new Set(machines.filter(({ state }) => state === 'running').map(({ uuid }) => uuid));
  const instances = status.services.flatMap(({ versions }) => versions.flatMap((version) => version.instances));
  const dead = instances.filter(({ machine, standalone }) => !standalone && !running.has(machine)).length;
  if (dead > 0) return `${dead} instances are gone, their sessions not yet over`;
  const answers = await Promise.all(status.gateways.map((gateway) => isUp(gateway, signal)));
  return answers.every(Boolean) ? '' : 'a gateway that does not answer';
}
