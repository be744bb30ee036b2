/**
 * Machines as QEMU virtual machines of this host, without root: each behind a loopback address of its own, cloned from a
 * booted template where there is one. What the kinds of host machines share is in process/host-provider.ts.
 */
import { randomBytes } from 'node:crypto';
import { link, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Grant } from '../guest/inside.ts';
import type { Image, ImageStore } from '../image/image-store.ts';
import { ownName, readIfThere, readWord, unless } from '../process/files.ts';
import { HostProvider, type HostProviderOptions, type MachineKind } from '../process/host-provider.ts';
import { MachineStore, type StoredMachine } from '../process/machine-store.ts';
import { refused, unavailable } from '../provider-errors.ts';
import type { QemuFacts } from './accelerator.ts';
import { type MachineShape, machineType } from './command-line.ts';
import { guestGrant, type HostGrant, hostFiles, parseHostGrant, seenFromGuest, tokenExpiry } from './grant.ts';
import { ensureTemplate } from './template.ts';
import { endVm, personify, vmIdentity } from './vm.ts';
import { endVmIn, VmStock } from './vm-stock.ts';

export interface QemuProviderOptions extends HostProviderOptions {
  images: ImageStore;
  /** What `qemuFacts` found out. */
  qemu: QemuFacts;
  memoryMb: number;
  cpus: number;
  /** Clones that are kept paused for the next creations. */
  stock: number;
  /** Folder with the environment's artifacts, each named by its sha256, for `file:` URLs; null for none. */
  artifacts: string | null;
  /** Handed to the agents. */
  sessionTimeoutMs?: number;
  /** The agents' credentials for the registry. */
  auth?: Grant['auth'];
  /** A machine whose guest has not joined after this long is in error. Default: three minutes. */
  joinTimeoutMs?: number;
}

const defaultJoinTimeoutMs = 180_000;
/** The virtual machine's folder in its machine's. */
const vmFolder = 'vm';

export class QemuProvider extends HostProvider {
  override readonly facts: Readonly<Record<string, string>>;
  readonly #options: QemuProviderOptions;
  readonly #stock: VmStock;
  readonly #shape: MachineShape;

  /** Errors: PROVIDER_BAD_CONFIG. */
  constructor(options: QemuProviderOptions) {
    const store = new MachineStore(options.dir);
    const shape = { accelerator: options.qemu.accelerator, memoryMb: options.memoryMb, cpus: options.cpus };
    const stock = new VmStock({ dir: options.dir, shape, clock: options.clock, log: options.log });
    super(options, store, virtualMachines(options, store, stock));
    this.#options = options;
    this.#stock = stock;
    this.#shape = shape;
    this.facts = factsOf(options.qemu);
  }

  /**
   * Makes the image's template if there is none and fills the stock. Creations before it is done boot their machines.
   * Errors: PROVIDER_REFUSED (no such image), PROVIDER_UNAVAILABLE, QMP_*.
   */
  async prepare(imageName: string, signal?: AbortSignal): Promise<void> {
    const image = await imageOf(this.#options.images, imageName);
    await ensureTemplate(image, this.#shape, this.#options.clock, signal);
    await this.#stock.fill(image, this.#options.stock);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#stock.close();
  }

  /** Ends the paused clones, for an environment's end: they are in no list. */
  async emptyStock(): Promise<void> {
    await this.#stock.sweep(null);
  }
}

function factsOf({ version, accelerator, why }: QemuFacts): Record<string, string> {
  return { qemu: version, 'machine-type': machineType, accelerator, ...(why === '' ? {} : { 'no-kvm': why }) };
}

/** Newest first by name, or exactly by id. */
async function imageOf(images: ImageStore, name: string): Promise<Image> {
  const image = /^[0-9a-f]{64}$/.test(name) ? await images.byId(name) : await images.newest(name);
  if (image) return image;
  throw refused(`there is no image ${name}`, { hint: 'Bake it first.' });
}

function virtualMachines(options: QemuProviderOptions, store: MachineStore, stock: VmStock): MachineKind {
  const { images, clock, log } = options;
  const folderOf = (uuid: string) => join(store.folder(uuid), vmFolder);
  const refill = (image: Image) => {
    stock.fill(image, options.stock).catch((err: unknown) => log?.warn({ err }, 'the stock could not be filled'));
  };

  return {
    name: 'qemu',
    capabilities: { pause: true, console: true, zones: false, snapshot: false },
    consoleFile: join(vmFolder, 'console.log'),

    async checkImage(name) {
      await imageOf(images, name);
    },

    async start(machine, address) {
      const { uuid } = machine;
      seenFromGuest(machine.registry);
      const image = await imageOf(images, machine.image);
      await images.use(image.record.id, options.dir);
      const folder = folderOf(uuid);
      const taken = (await unless(stat(folder), null, 'ENOENT')) ? null : await stock.take(image, folder);
      const identity = taken?.identity ?? (await vmIdentity(folder));
      if (!identity) throw unavailable(`machine ${uuid} lost its virtual machine`);
      const grant = await giveGrant(folder, newGrant(machine, address, options));
      const kept = await store.fixIdentity(uuid, identity);
      if (kept === 'nobody') {
        await endVm(identity, clock);
        return null;
      }
      const { sessionTimeoutMs, auth } = options;
      const { clusterId, registry } = machine;
      const seed = randomBytes(64).toString('hex');
      const guest = guestGrant(grant, { clusterId, registry, sessionTimeoutMs, auth }, { seed, now: clock.now() });
      await personify(identity, folder, JSON.stringify(guest), clock);
      refill(image);
      return taken?.child ?? null;
    },

    async stateOf({ uuid }) {
      const folder = folderOf(uuid);
      if ((await readWord(join(folder, hostFiles.pass))) !== null) return 'running';
      const text = await readIfThere(join(folder, hostFiles.grant));
      const since = text === null ? clock.now() : parseHostGrant(text).grantedAt;
      return clock.now() - since > (options.joinTimeoutMs ?? defaultJoinTimeoutMs) ? 'error' : 'building';
    },

    endRemains: (_, remains) => endVmIn(join(remains, vmFolder), clock),
  };
}

function newGrant({ uuid }: StoredMachine, address: string, { artifacts, clock }: QemuProviderOptions): HostGrant {
  const now = clock.now();
  const token = randomBytes(32).toString('hex');
  return { uuid, address, token, expiresAt: tokenExpiry(now), grantedAt: now, artifacts };
}

/** The first grant that a machine is given is kept, and returned: there are never two valid tokens. */
async function giveGrant(folder: string, grant: HostGrant): Promise<HostGrant> {
  const draft = join(folder, ownName());
  const path = join(folder, hostFiles.grant);
  await writeFile(draft, JSON.stringify(grant), { mode: 0o600 });
  await unless(link(draft, path), undefined, 'EEXIST');
  await unlink(draft);
  return parseHostGrant((await readIfThere(path)) ?? '');
}
