/** The provider of a local environment's machines. */
import { fileURLToPath } from 'node:url';
import { registryAccess } from '../../registrar/access.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { ImageStore } from '../../vm-factory/image/image-store.ts';
import type { HostProvider } from '../../vm-factory/process/host-provider.ts';
import { ProcessProvider } from '../../vm-factory/process/process-provider.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { readSecret } from './secret.ts';
import type { LocalState, StatePaths } from './state.ts';

const cli = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

/** Arguments for node that run `mcp` with the given words. */
export function mcpCommand(...words: string[]): string[] {
  return ['--disable-warning=ExperimentalWarning', cli, ...words];
}

/** Clones kept paused: as many as may be asked for at once without a boot. */
const stock = 2;

/** A provider of machines on this host, with what only an environment's end needs. */
export type LocalProvider = HostProvider & { emptyStock?(): Promise<void> };

/** Makes the provider; the caller closes it. */
export function machineProvider(paths: StatePaths, state: LocalState): LocalProvider {
  return state.qemu
    ? qemuProvider(paths, state, state.qemu)
    : new ProcessProvider({
        ...common(paths, state),
        agentCommand: [process.execPath, ...mcpCommand('agent', 'run', '--machine')],
      });
}

/** The same with what only virtual machines have. */
export function qemuProvider(
  paths: StatePaths,
  state: LocalState,
  { images, ...qemu }: NonNullable<LocalState['qemu']>,
): QemuProvider {
  return new QemuProvider({
    ...common(paths, state),
    images: new ImageStore(images),
    qemu,
    stock,
    artifacts: paths.artifacts,
  });
}

function common(paths: StatePaths, state: LocalState) {
  const { clusterId, addressBlock, sessionTimeoutMs } = state;
  const rights = registryAccess(readSecret(paths.secret));
  const access = rights && ((uuid: string) => rights.machine(uuid));
  return { dir: paths.factory, clusterId, addressBlock, clock: systemClock, sessionTimeoutMs, access };
}
