/** Makes virtual machines of a folder's provider: knows the QEMU here, the models, their templates and the stock of clones. */
import { totalmem } from 'node:os';
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { type ProcessIdentity, processesMarked, signalProcess } from '../../registrar/process-identity.ts';
import { isMcpError } from '../../specs/errors.ts';
import { flavorText, smallFlavor } from '../../specs/flavor.ts';
import { nameOfImage } from '../../specs/image-reference.ts';
import type { Flavor } from '../../specs/nouns.ts';
import { formatSize } from '../../specs/size.ts';
import type { ImageStore } from '../image/image-store.ts';
import { refused } from '../provider-errors.ts';
import type { QemuFacts } from './accelerator.ts';
import { type Model, shapeOf } from './model.ts';
import { ServiceTemplates } from './service-templates.ts';
import { ensureTemplate, tidyTemplates } from './template.ts';
import { ownerMark, vmIdentity } from './vm.ts';
import { VmStock } from './vm-stock.ts';

/** A process is a stray when it is one at two looks this far apart, ms: a machine may be on its way from the stock. */
const strayMs = 3_000;

/** Why no machine can be made of an image that is not in the store. */
export function notBaked(image: string): string {
  return `there is no image ${image}: bake it with mcp image bake ${nameOfImage(image)} -f FILE`;
}

/** Paused clones that are kept of each service template, where a stock is kept at all: its machines are ready in the pool. */
const serviceStock = 1;

export interface VmFactoryOptions {
  /** Holds everything of the provider. */
  dir: string;
  images: ImageStore;
  /** What `qemuFacts` found out. */
  qemu: QemuFacts;
  /** Of machines for which none is asked; the small one by default. */
  flavor?: Flavor;
  /** Clones of each model that are kept paused for the next creations. */
  stock: number;
  /** Folder with the environment's artifacts, each named by its sha256, for `file:` URLs; null for none. */
  artifacts: string | null;
  clock: Clock;
  log?: Logger;
}

interface MachineRequest {
  image: string;
  flavor?: Flavor;
  template?: string;
}

export class VmFactory {
  readonly stock: VmStock;
  readonly templates: ServiceTemplates;
  readonly #options: VmFactoryOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #qemu: QemuFacts;
  #refilling: Promise<void> = Promise.resolve();

  constructor(options: VmFactoryOptions) {
    const { dir, clock, log } = options;
    this.#options = options;
    this.#clock = clock;
    this.#qemu = options.qemu;
    const onOtherQemu = (version: string) => this.#learn(version);
    this.stock = new VmStock({ dir, env: { [ownerMark]: dir }, clock, log, onOtherQemu });
    const size = Math.min(serviceStock, options.stock);
    this.templates = new ServiceTemplates({ dir, stock: this.stock, size, artifacts: options.artifacts, clock, log });
  }

  /** The flavor of machines for which none is declared. */
  get usual(): Flavor {
    return this.#options.flavor ?? smallFlavor;
  }

  get qemu(): QemuFacts {
    return this.#qemu;
  }

  /** What a machine that is asked for is made from. Errors: PROVIDER_REFUSED, IMAGE_DAMAGED. */
  async modelFor({ image, flavor, template }: MachineRequest): Promise<Model> {
    const plain = await this.modelOf(image, flavor);
    return template === undefined ? plain : this.templates.modelOf(plain, template);
  }

  /** What a machine of this image and flavor is made from. Errors: PROVIDER_REFUSED, IMAGE_DAMAGED. */
  async modelOf(name: string, flavor: Flavor | undefined): Promise<Model> {
    const { images } = this.#options;
    const wanted = flavor ?? this.usual;
    if (wanted.memoryBytes > totalmem()) {
      throw refused(
        `a machine of ${flavorText(wanted)} is larger than this host, which has ${formatSize(totalmem())}`,
        {
          hint: 'Declare a smaller flavor.',
        },
      );
    }
    const image = await images.find(name);
    if (image) return { image, shape: shapeOf(wanted, this.#qemu) };
    throw refused(notBaked(name));
  }

  /** Makes the template if there is none and fills the stock. Errors: PROVIDER_REFUSED, PROVIDER_UNAVAILABLE, QMP_*. */
  async prepare(name: string, flavor: Flavor | undefined, signal?: AbortSignal): Promise<void> {
    const model = await this.modelOf(name, flavor);
    try {
      await ensureTemplate(model, this.#clock, signal);
    } catch (error) {
      if (!isMcpError(error, 'QEMU_CHANGED')) throw error;
      this.#learn(String(error.details.version));
      return this.prepare(name, flavor, signal);
    }
    await this.stock.fill(model, this.#options.stock);
  }

  /** As `prepare`, in the background, and only where there is to be a stock. */
  refill(model: Model): void {
    const { stock, log } = this.#options;
    // Of a service's template clones are made when whoever wants it says so again.
    if (stock === 0 || model.service) return;
    const { signal } = this.#closing;
    this.#refilling = this.#refilling
      .then(async () => {
        if (signal.aborted) return;
        await ensureTemplate(model, this.#clock, signal);
        await this.stock.fill(model, stock);
      })
      .catch((error: unknown) => {
        if (isMcpError(error, 'QEMU_CHANGED')) this.#learn(String(error.details.version));
        if (!signal.aborted) log?.warn({ err: error }, 'the stock could not be filled');
      });
  }

  /** P7: ends templates in the making whose maker died; no list and no folder of ours tells of them. */
  async tidyTemplates(): Promise<void> {
    for (const image of await this.#options.images.list()) await tidyTemplates(image, this.#clock);
  }

  /**
   * P7: ends processes of ours that neither the stock nor any of the machines' folders tells of. What is in the making may
   * be on its way from one to the other, so it looks twice.
   */
  async endStrays(folders: () => Promise<string[]>): Promise<void> {
    const suspects = await this.#strays(folders);
    if (suspects.length === 0) return;
    await this.#clock.sleep(strayMs, this.#closing.signal);
    const still = new Set((await this.#strays(folders)).map(({ pid, startTime }) => `${pid}:${startTime}`));
    for (const one of suspects) {
      if (!still.has(`${one.pid}:${one.startTime}`)) continue;
      this.#options.log?.warn({ pid: one.pid }, 'a virtual machine that nothing tells of is ended');
      signalProcess(one, 'SIGKILL');
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the provider is closed'));
    await this.#refilling;
    await this.templates.close();
    await this.stock.close();
  }

  async #strays(folders: () => Promise<string[]>): Promise<ProcessIdentity[]> {
    // In this order: what is found running is looked for, and machines go from the stock to the folders.
    const running = processesMarked(`${ownerMark}=${this.#options.dir}`);
    const spares = await this.stock.processes();
    const taken = await Promise.all((await folders()).map(vmIdentity));
    const pids = new Set([...spares, ...taken].map((identity) => identity?.pid));
    return running.filter(({ pid }) => !pids.has(pid));
  }

  #learn(version: string): void {
    this.#options.log?.warn({ before: this.#qemu.version, version }, 'QEMU has another version now');
    this.#qemu = { ...this.#qemu, version };
  }
}
