/** Machines as process groups of this host, killable like a VM. */
import type { MachineAccess } from '../../registrar/access.ts';
import { refused } from '../provider-errors.ts';
import { HostProvider, type HostProviderOptions, type MachineKind } from './host-provider.ts';
import { launch } from './launch.ts';
import { endMachine, machineEnvironment } from './machine-processes.ts';
import { MachineStore } from './machine-store.ts';

export interface ProcessProviderOptions extends HostProviderOptions {
  /** argv of a machine's main process; its configuration file's path is added. */
  agentCommand: readonly string[];
  /** Handed to the agents. */
  sessionTimeoutMs?: number;
  /** A machine's rights in the registry; absent: those that its agent is started with. */
  access?: (uuid: string) => MachineAccess;
}

/** The one image there is. */
const processImage = 'process';

export class ProcessProvider extends HostProvider {
  /** Errors: PROVIDER_BAD_CONFIG. */
  constructor(options: ProcessProviderOptions) {
    const store = new MachineStore(options.dir);
    super(options, store, processMachines(options, store));
  }
}

function processMachines(options: ProcessProviderOptions, store: MachineStore): MachineKind {
  return {
    name: 'process',
    capabilities: { pause: false, console: true, zones: false, snapshot: false, sharedHost: true },
    consoleFile: 'console.log',
    whyNoImage: async (image) =>
      image === processImage ? null : `there is no image ${image}: machines that are processes have none`,
    async check({ image }) {
      const why = await this.whyNoImage(image);
      if (why !== null) throw refused(why);
    },
    async start({ uuid, registry, clusterId }, address) {
      const config = await store.writeAgentConfig(uuid, {
        uuid,
        address,
        registry,
        clusterId,
        dir: store.workFolder(uuid),
        sessionTimeoutMs: options.sessionTimeoutMs,
        access: options.access?.(uuid),
      });
      return launch({
        folder: store.folder(uuid),
        identityPath: store.identityPath(uuid),
        command: [...options.agentCommand, config],
        env: machineEnvironment(uuid),
      });
    },
    stateOf: async () => ({ state: 'running' }),
    // A start that had found the folder before it went could still introduce itself there, once what stands in its way is
    // removed; one that comes later finds nothing.
    endRemains: (uuid) => endMachine(uuid, null, options.clock),
  };
}
