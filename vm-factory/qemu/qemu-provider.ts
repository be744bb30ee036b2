/**
 * Machines as QEMU virtual machines of this host, without root: each behind a loopback address of its own, cloned from a
 * booted template where there is one. What the kinds of host machines share is in process/host-provider.ts.
 */
import { randomBytes } from 'node:crypto';
import { link, stat, unlink, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { MachineAccess } from '../../registrar/access.ts';
import { isSameProcess, standsStill } from '../../registrar/process-identity.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { Flavor } from '../../specs/nouns.ts';
import { inTurn, orRemove, ownName, readIfThere, readWord, unless, writeOnce } from '../process/files.ts';
import { HostProvider, type HostProviderOptions, type MachineKind } from '../process/host-provider.ts';
import { MachineStore, type StoredMachine } from '../process/machine-store.ts';
import type { MachineProvider, ServiceTemplate, TemplateState } from '../provider.ts';
import { unavailable } from '../provider-errors.ts';
import { machineType } from './command-line.ts';
import { guestGrant, type HostGrant, hostFiles, parseHostGrant, seenFromGuest, tokenExpiry } from './grant.ts';
import type { Model } from './model.ts';
import { endVm, personify, vmIdentity } from './vm.ts';
import { notBaked, VmFactory, type VmFactoryOptions } from './vm-factory.ts';
import { endVmIn } from './vm-folders.ts';

export interface QemuProviderOptions extends HostProviderOptions, VmFactoryOptions {
  /** Handed to the agents. */
  sessionTimeoutMs?: number;
  /** A machine's rights in the registry; absent: everybody may do everything there. */
  access?: (uuid: string) => MachineAccess;
  /** A machine whose guest has not joined after this long is in error. Default: three minutes. */
  joinTimeoutMs?: number;
}

const defaultJoinTimeoutMs = 180_000;
/** The virtual machine's folder in its machine's. */
const vmFolder = 'vm';

export class QemuProvider extends HostProvider {
  readonly #factory: VmFactory;
  readonly memory: NonNullable<MachineProvider['memory']>;

  /** Errors: PROVIDER_BAD_CONFIG. */
  constructor(options: QemuProviderOptions) {
    const store = new MachineStore(options.dir);
    const factory = new VmFactory(options);
    super(options, store, virtualMachines(options, store, factory));
    this.#factory = factory;
    this.memory = { host: totalmem(), machine: factory.usual.memoryBytes };
  }

  /**
   * Makes the template of the image for machines of this flavor if there is none, and fills the stock. Creations before it is
   * done boot their machines. Errors: PROVIDER_REFUSED (no such image), PROVIDER_UNAVAILABLE, QMP_*.
   */
  async prepare(image: string, flavor?: Flavor, signal?: AbortSignal): Promise<void> {
    await this.#factory.prepare(image, flavor, signal);
  }

  /** Paused clones, of any image. */
  paused(): Promise<number> {
    return this.#factory.stock.count();
  }

  /** Of a template whose image is not there it says that it waits. */
  async keepTemplates(wanted: readonly ServiceTemplate[], mayMake: boolean): Promise<Record<string, TemplateState>> {
    const states: Record<string, TemplateState> = {};
    const makeable: { template: ServiceTemplate; plain: Model }[] = [];
    for (const template of wanted) {
      try {
        makeable.push({ template, plain: await this.#factory.modelOf(template.image, template.flavor) });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        states[template.order.template] = { state: 'waiting', reason };
      }
    }
    const found = await this.#factory.templates.keep(makeable, mayMake);
    for (const [at, { template }] of makeable.entries()) {
      const state = found[at];
      if (state) states[template.order.template] = state;
    }
    return states;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#factory.close();
  }

  /** Ends the paused clones, for an environment's end, and templates that were left in the making: they are in no list. */
  async emptyStock(): Promise<void> {
    await this.#factory.templates.tidy();
    await this.#factory.stock.empty();
    await this.#factory.tidyTemplates();
  }
}

function virtualMachines(options: QemuProviderOptions, store: MachineStore, factory: VmFactory): MachineKind {
  const { images, clock, joinTimeoutMs = defaultJoinTimeoutMs } = options;
  const folderOf = (uuid: string) => join(store.folder(uuid), vmFolder);

  return {
    name: 'qemu',
    capabilities: { pause: true, console: true, zones: false, snapshot: false, sharedHost: true },
    consoleFile: join(vmFolder, 'console.log'),

    async whyNoImage(image) {
      try {
        return (await images.find(image)) ? null : notBaked(image);
      } catch (error) {
        // Of one service's image: the others' machines are to be listed all the same.
        if (isMcpError(error, 'IMAGE_DAMAGED')) return `${error.message}: bake it again`;
        throw error;
      }
    },

    async check(request) {
      await factory.modelFor(request);
    },

    async start(machine, address) {
      const { uuid } = machine;
      seenFromGuest(machine.registry);
      const model = await factory.modelFor(machine);
      await images.use(model.image.record.id, options.dir);
      const folder = folderOf(uuid);
      const taken = (await unless(stat(folder), null, 'ENOENT')) ? null : await factory.stock.take(model, folder);
      const identity = taken?.identity ?? (await vmIdentity(folder));
      if (!identity) throw unavailable(`machine ${uuid} lost its virtual machine`);
      // Before it counts as started: from here on it has a limited time to join.
      await giveGrant(folder, newGrant(machine, address, options));
      const kept = await store.fixIdentity(uuid, identity);
      if (kept === 'nobody') {
        await endVm(identity, clock);
        return null;
      }
      factory.refill(model);
      return taken?.child ?? null;
    },

    async finish(machine, address, identity) {
      const { uuid } = machine;
      const folder = folderOf(uuid);
      if ((await readWord(join(folder, hostFiles.told))) !== null || !isSameProcess(identity)) return;
      const grant = await giveGrant(folder, newGrant(machine, address, options));
      const { sessionTimeoutMs, access } = options;
      const { clusterId, registry } = machine;
      const seed = randomBytes(64).toString('hex');
      const guest = guestGrant(
        grant,
        { clusterId, registry, sessionTimeoutMs, access: access?.(uuid) },
        { seed, now: clock.now() },
      );
      await personify(identity, folder, JSON.stringify(guest), clock).catch(async (cause: unknown) => {
        // It hangs, and without an identity it can never be of use.
        await endVm(identity, clock);
        throw unavailable(`a virtual machine took no identity: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        });
      });
      await writeOnce(join(folder, hostFiles.told), uuid);
    },

    async stateOf({ uuid }, identity) {
      const folder = folderOf(uuid);
      const remark = standsStill(identity) ? { remark: 'its QEMU process was stopped by a signal' } : {};
      if ((await readWord(join(folder, hostFiles.pass))) !== null) return { state: 'running', ...remark };
      const text = await readIfThere(join(folder, hostFiles.grant));
      const since = text === null ? clock.monotonic() : grantedAt(text);
      if (since === null) return { state: 'error', remark: 'what its host service was given is damaged' };
      const waitedMs = clock.monotonic() - since;
      if (waitedMs <= joinTimeoutMs) return { state: 'building', ...remark };
      const said = `its guest has not joined within ${Math.round(joinTimeoutMs / 1000)} s`;
      return { state: 'error', remark: [said, ...Object.values(remark)].join('; ') };
    },

    endRemains: (_, remains) => endVmIn(join(remains, vmFolder), clock),

    async tidyUp() {
      await inTurn([
        () => factory.stock.sweep(),
        () => factory.tidyTemplates(),
        () => factory.templates.tidy(),
        () => factory.endStrays(async () => (await store.uuids()).map(folderOf)),
      ]);
    },

    facts() {
      const { version, accelerator, why } = factory.qemu;
      return { qemu: version, 'machine-type': machineType, accelerator, ...(why === '' ? {} : { 'no-kvm': why }) };
    },
  };
}

function newGrant({ uuid }: StoredMachine, address: string, { artifacts, clock }: QemuProviderOptions): HostGrant {
  const now = clock.monotonic();
  const token = randomBytes(32).toString('hex');
  return { uuid, address, token, expiresAt: tokenExpiry(now), grantedAt: now, artifacts };
}

/** ms of the host's monotonic clock; null where the grant can't be read: that is one machine's trouble, not the list's. */
function grantedAt(grant: string): number | null {
  try {
    return parseHostGrant(grant).grantedAt;
  } catch {
    return null;
  }
}

/** The first grant that a machine is given is kept, and returned: there are never two valid tokens. */
async function giveGrant(folder: string, grant: HostGrant): Promise<HostGrant> {
  const draft = join(folder, ownName());
  const path = join(folder, hostFiles.grant);
  await orRemove(draft, async () => {
    await writeFile(draft, JSON.stringify(grant), { mode: 0o600 });
    await unless(link(draft, path), undefined, 'EEXIST');
  });
  await unlink(draft);
  return parseHostGrant((await readIfThere(path)) ?? '');
}
