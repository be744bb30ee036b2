/**
 * Virtual machines that are nobody's yet: cloned, paused, waiting for an identity. `<dir>/<id>/` is one; whoever renames it
 * away has taken it. Providers that share the folder share the stock; what a dead one left half-made is removed.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { isSameProcess, type ProcessIdentity, readStartTime } from '../../registrar/process-identity.ts';
import type { Image } from '../image/image-store.ts';
import { ownName, readWord, tidy, unless, writeOnce } from '../process/files.ts';
import { parseIdentity } from '../process/machine-store.ts';
import type { MachineShape } from './command-line.ts';
import { findTemplate } from './template.ts';
import { endVm, restoreVm, type StartedVm, startVm, vmIdentity } from './vm.ts';

/** Words (files.ts) in a machine's folder. */
const makerWord = 'maker';
/** Image and shape, once it is ready to be taken. */
const readyWord = 'ready';
/** Clones are kept of as many images as an environment's services commonly ask for. */
const imagesKept = 4;

export interface TakenVm {
  identity: ProcessIdentity;
  /** Where it is our child. */
  child: ChildProcess | null;
}

export class VmStock {
  readonly #dir: string;
  readonly #staging: string;
  readonly #shape: MachineShape;
  readonly #clock: Clock;
  readonly #log: Logger | undefined;
  readonly #children = new Map<string, ChildProcess>();
  #filling: Promise<void> | null = null;
  #closed = false;
  /** Images and shapes that were asked for, the last one first. */
  #asked: string[] = [];

  constructor(options: { dir: string; shape: MachineShape; clock: Clock; log?: Logger }) {
    this.#dir = join(options.dir, 'stock');
    this.#staging = join(options.dir, 'stock-staging');
    this.#shape = options.shape;
    this.#clock = options.clock;
    this.#log = options.log;
    for (const folder of [this.#dir, this.#staging]) mkdirSync(folder, { recursive: true });
  }

  /**
   * Moves a machine to `target`, whose parent is there: one of the stock, else a new clone, else, without a template, one
   * that boots. Null where there is something at `target` already. Errors: PROVIDER_UNAVAILABLE, QMP_*; ENOENT where the
   * parent went.
   */
  async take(image: Image, target: string): Promise<TakenVm | null> {
    for (const id of await this.ready(image)) {
      const taken = await this.#move(id, target);
      if (taken !== 'gone') return taken;
    }
    const id = await this.#build(image);
    const taken = await this.#move(id, target);
    if (taken === 'gone') throw new Error(`${id} was taken from under us`);
    return taken;
  }

  /** Makes clones until `size` are ready; one filling at a time. Without a template it does nothing. */
  fill(image: Image, size: number): Promise<void> {
    this.#filling ??= this.#fill(image, size).finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  /** Ids of machines of this image that are ready to be taken. */
  async ready(image: Image): Promise<string[]> {
    const label = this.#label(image);
    const found = await this.#all();
    return found.filter(({ ready, alive }) => alive && ready === label).map(({ id }) => id);
  }

  /** How many machines are ready to be taken, of any image. */
  async count(): Promise<number> {
    return (await this.#all()).filter(({ ready, alive }) => alive && ready !== null).length;
  }

  /**
   * Ends what can't be taken: dead ones, those of other shapes or of images that nobody asked us for lately, and what a dead maker
   * left half-made.
   */
  async sweep(image: Image | null): Promise<void> {
    await tidy(this.#staging);
    const asked = image ? this.#ask(image) : [];
    for (const { id, ready, alive, made } of await this.#all()) {
      const useful = ready === null ? made : alive && asked.includes(ready);
      if (!useful) await this.#discard(id);
    }
  }

  /** Ends filling; resolves when the clone in the making is made. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling?.catch(() => {});
  }

  /** Labels of what was asked for last, this one included. */
  #ask(image: Image): string[] {
    const label = this.#label(image);
    this.#asked = [label, ...this.#asked.filter((other) => other !== label)].slice(0, imagesKept);
    return this.#asked;
  }

  async #fill(image: Image, size: number): Promise<void> {
    await this.sweep(image);
    while (!this.#closed && (await this.ready(image)).length < size && (await findTemplate(image, this.#shape))) {
      const id = await this.#build(image);
      this.#log?.info({ vm: id }, 'a clone is ready');
    }
  }

  async #build(image: Image): Promise<string> {
    const id = randomUUID();
    const folder = join(this.#dir, id);
    const draft = join(this.#staging, ownName());
    await mkdir(draft);
    const maker = { pid: process.pid, startTime: readStartTime(process.pid) ?? 0 };
    await writeOnce(join(draft, makerWord), `${maker.pid}:${maker.startTime}`);
    await rename(draft, folder);
    let vm: StartedVm | null = null;
    try {
      const template = await findTemplate(image, this.#shape);
      const start = template
        ? ({ kind: 'clone', memoryFile: template.memoryFile } as const)
        : ({ kind: 'boot' } as const);
      vm = await startVm({ folder, files: image, shape: this.#shape, start });
      this.#children.set(id, vm.child);
      vm.child.once('exit', () => this.#children.delete(id));
      if (template) await restoreVm(vm.identity, template.stateFile, this.#clock);
      await writeOnce(join(folder, readyWord), this.#label(image));
      return id;
    } catch (error) {
      // By its process: its folder may be gone, with the environment.
      if (vm) await endVm(vm.identity, this.#clock);
      await this.#discard(id);
      throw error;
    }
  }

  async #move(id: string, target: string): Promise<TakenVm | null | 'gone'> {
    const identity = await vmIdentity(join(this.#dir, id));
    const child = this.#children.get(id) ?? null;
    const moved = await this.#renamed(id, target);
    if (moved !== 'moved') return moved === 'occupied' ? null : 'gone';
    this.#children.delete(id);
    return identity && { identity, child };
  }

  async #renamed(id: string, target: string): Promise<'moved' | 'occupied' | 'gone'> {
    const move = rename(join(this.#dir, id), target).then(() => 'moved' as const);
    const done = await unless(unless(move, 'occupied' as const, 'ENOTEMPTY', 'EEXIST'), 'gone' as const, 'ENOENT');
    if (done !== 'gone') return done;
    // Either the machine went to somebody else or the place where it should go is no more.
    await readdir(join(target, '..'));
    return 'gone';
  }

  async #discard(id: string): Promise<void> {
    const trash = join(this.#staging, ownName());
    const gone = await unless(rename(join(this.#dir, id), trash), 'gone' as const, 'ENOENT');
    if (gone === 'gone') return;
    await endVmIn(trash, this.#clock);
    await rm(trash, { recursive: true, force: true });
  }

  async #all() {
    const ids = await readdir(this.#dir);
    return Promise.all(
      ids.map(async (id) => {
        const folder = join(this.#dir, id);
        const [ready, maker, identity] = [
          await readWord(join(folder, readyWord)),
          parseIdentity(await readWord(join(folder, makerWord))),
          await vmIdentity(folder),
        ];
        const made = maker !== null && maker !== 'nobody' && isSameProcess(maker);
        return { id, ready, made, alive: identity !== null && isSameProcess(identity) };
      }),
    );
  }

  /** A symbolic link's word: what a machine must have been made from to be taken for the image. */
  #label(image: Image): string {
    const { accelerator, memoryMb, cpus } = this.#shape;
    return `${image.record.id}:${accelerator}-${memoryMb}m-${cpus}`;
  }
}

/** Ends the machine whose folder this is, if any. */
export async function endVmIn(folder: string, clock: Clock): Promise<void> {
  const identity = await vmIdentity(folder);
  if (identity) await endVm(identity, clock);
}
