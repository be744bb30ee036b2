/** The provider of a local environment's machines. */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../registrar/system-clock.ts';
import { ProcessProvider } from '../../vm-factory/process/process-provider.ts';
import type { LocalState, StatePaths } from './state.ts';

const cli = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

/** Arguments for node that run `mcp` with the given words. */
export function mcpCommand(...words: string[]): string[] {
  return ['--disable-warning=ExperimentalWarning', cli, ...words];
}

/** Makes the provider; the caller closes it. */
export function machineProvider(paths: StatePaths, state: LocalState): ProcessProvider {
  return new ProcessProvider({
    dir: paths.factory,
    clusterId: state.clusterId,
    addressBlock: state.addressBlock,
    agentCommand: [process.execPath, ...mcpCommand('agent', 'run', '--auth-file', paths.secret, '--machine')],
    clock: systemClock,
    sessionTimeoutMs: state.sessionTimeoutMs,
  });
}
