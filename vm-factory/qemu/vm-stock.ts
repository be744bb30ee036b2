/**
 * Virtual machines that are nobody's yet: cloned, paused, waiting for an identity. `<dir>/<id>/` is one; whoever renames it
 * away has taken it. Providers that share the folder share the stock; what a dead one left half-made is removed.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { isSameProcess, type ProcessIdentity, readStartTime, standsStill } from '../../registrar/process-identity.ts';
import { isMcpError } from '../../specs/errors.ts';
import { orRemove, ownName, readWord, unless, writeOnce } from '../process/files.ts';
import { parseIdentity } from '../process/machine-store.ts';
import { bootOverlays } from './disks.ts';
import { type Model, modelLabel, plainOf } from './model.ts';
import { dropTemplate, findTemplate, type Template } from './template.ts';
import { endVm, restoreVm, type StartedVm, startVm, vmIdentity } from './vm.ts';
import { endVmIn, tidyVms } from './vm-folders.ts';

/** Words (files.ts) in a machine's folder. */
const makerWord = 'maker';
/** Its model, once it is ready to be taken. */
const readyWord = 'ready';
/** A spare of a model that nobody asked for this long, ms, is of no use any more. */
const idleMs = 600_000;

export interface TakenVm {
  identity: ProcessIdentity;
  /** Where it is our child. */
  child: ChildProcess | null;
}

export interface VmStockOptions {
  dir: string;
  /** Of every machine's process: by it those are found that nothing else tells of. */
  env: Record<string, string>;
  clock: Clock;
  log?: Logger;
  /** Called with the version that runs, where it is not the model's. */
  onOtherQemu: (version: string) => void;
}

export class VmStock {
  readonly #dir: string;
  readonly #staging: string;
  readonly #options: VmStockOptions;
  readonly #children = new Map<string, ChildProcess>();
  /** When each model was last asked for, by its label. */
  readonly #asked = new Map<string, number>();
  #filling: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: VmStockOptions) {
    this.#dir = join(options.dir, 'stock');
    this.#staging = join(options.dir, 'stock-staging');
    this.#options = options;
    for (const folder of [this.#dir, this.#staging]) mkdirSync(folder, { recursive: true });
  }

  /**
   * Moves a machine to `target`, whose parent is there: one of the stock, else a new clone, else, without a template, one
   * that boots. Where there is no template of a service it is one of the same machine without.
   * Null where there is something at `target` already. Errors: PROVIDER_UNAVAILABLE, QMP_*; ENOENT where the
   * parent went.
   */
  async take(model: Model, target: string): Promise<TakenVm | null> {
    this.#asked.set(modelLabel(model), this.#options.clock.monotonic());
    for (const id of await this.#ready(model)) {
      const taken = await this.#move(id, target);
      if (taken !== 'gone') return taken;
    }
    if (model.service && !(await findTemplate(model))) return this.take(plainOf(model), target);
    const id = await this.#build(model);
    const taken = await this.#move(id, target);
    if (taken === 'gone') throw new Error(`${id} was taken from under us`);
    return taken;
  }

  /** Makes clones until `size` are ready; one filling at a time. Without a template it does nothing. */
  fill(model: Model, size: number): Promise<void> {
    const mine = this.#filling.then(() => this.#fill(model, size));
    this.#filling = mine.catch(() => {});
    return mine;
  }

  /** How many machines are ready to be taken, of any model. */
  async count(): Promise<number> {
    return (await this.#all()).filter(({ ready, alive }) => alive && ready !== null).length;
  }

  /** Ends what can't be taken: dead ones, those of models that are out of use, and what a dead maker left half-made. */
  async sweep(): Promise<void> {
    await tidyVms(this.#staging, this.#options.clock);
    for (const spare of await this.#all()) {
      const useful = spare.ready === null ? spare.made : spare.alive && (await this.#isInUse(spare.id, spare.ready));
      if (!useful) await this.#discard(spare.id);
    }
  }

  /** Ends those of service templates that are not wanted any more. `labels`: of the models that are. */
  async dropServices(labels: ReadonlySet<string>): Promise<void> {
    for (const { id, ready } of await this.#all()) {
      const service = ready?.split(':')[2];
      if (ready !== null && service !== undefined && !labels.has(ready)) await this.#discard(id);
    }
  }

  /** Ends all of it. */
  async empty(): Promise<void> {
    await tidyVms(this.#staging, this.#options.clock);
    for (const { id } of await this.#all()) await this.#discard(id);
  }

  /** Processes of machines that are in stock, or about to be. */
  async processes(): Promise<ProcessIdentity[]> {
    return (await this.#all()).flatMap(({ identity }) => identity ?? []);
  }

  /** Ends filling; resolves when the clone in the making is made. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
  }

  async #fill(model: Model, size: number): Promise<void> {
    this.#asked.set(modelLabel(model), this.#options.clock.monotonic());
    await this.sweep();
    // Each time round one more is there, or there is no template any more; but not for ever.
    for (let tries = 0; tries < 2 * size && !this.#closed; tries += 1) {
      if ((await this.#ready(model)).length >= size || !(await findTemplate(model))) return;
      const id = await this.#build(model);
      this.#options.log?.info({ vm: id }, 'a clone is ready');
    }
  }

  /** Ids of machines of this model that are ready to be taken. */
  async #ready(model: Model): Promise<string[]> {
    const label = modelLabel(model);
    return (await this.#all()).filter(({ ready, alive }) => alive && ready === label).map(({ id }) => id);
  }

  /** What another provider asked for lately we can only tell by the age of what it made. */
  async #isInUse(id: string, label: string): Promise<boolean> {
    const { clock } = this.#options;
    if (clock.monotonic() - (this.#asked.get(label) ?? Number.NEGATIVE_INFINITY) < idleMs) return true;
    const made = await unless(lstat(join(this.#dir, id, readyWord)), null, 'ENOENT');
    return made !== null && clock.now() - made.mtimeMs < idleMs;
  }

  /** A clone; without a template, or where that turns out to be of no use, a machine that boots. */
  async #build(model: Model): Promise<string> {
    const template = await findTemplate(model);
    const without = () => (model.service ? this.#build(plainOf(model)) : this.#make(model, null));
    if (!template) return without();
    try {
      return await this.#make(model, template);
    } catch (error) {
      if (this.#closed) throw error;
      this.#options.log?.warn(
        { err: error, model: modelLabel(model) },
        'the template is of no use: a machine is made without it',
      );
      if (isMcpError(error, 'TEMPLATE_DAMAGED')) await dropTemplate(model);
      if (isMcpError(error, 'QEMU_CHANGED')) this.#options.onOtherQemu(String(error.details.version));
      return without();
    }
  }

  async #make(model: Model, template: Template | null): Promise<string> {
    const { image, shape } = model;
    const { clock, env } = this.#options;
    const id = randomUUID();
    const folder = join(this.#dir, id);
    await this.#enter(folder);
    let vm: StartedVm | null = null;
    try {
      vm = await startVm({
        folder,
        files: image,
        shape,
        start: template ? { kind: 'clone', memoryFile: template.memoryFile } : { kind: 'boot' },
        overlays: template?.overlays ?? (await bootOverlays(image.dir, image, shape)),
        env,
      });
      this.#children.set(id, vm.child);
      vm.child.once('exit', () => this.#children.delete(id));
      if (template) await restoreVm(vm.identity, template.stateFile, shape.qemu, clock);
      await writeOnce(join(folder, readyWord), modelLabel(model));
      return id;
    } catch (error) {
      // By its process: its folder may be gone, with the environment.
      if (vm) await endVm(vm.identity, clock);
      await this.#discard(id);
      throw error;
    }
  }

  /** The machine's folder, which tells from its first moment who makes it. */
  async #enter(folder: string): Promise<void> {
    const draft = join(this.#staging, ownName());
    const maker = { pid: process.pid, startTime: readStartTime(process.pid) ?? 0 };
    await orRemove(draft, async () => {
      await mkdir(draft);
      await writeOnce(join(draft, makerWord), `${maker.pid}:${maker.startTime}`);
      await rename(draft, folder);
    });
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
    await endVmIn(trash, this.#options.clock);
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
        // One that was stopped would be taken and never answer.
        const alive = identity !== null && isSameProcess(identity) && !standsStill(identity);
        return { id, ready, made, identity, alive };
      }),
    );
  }
}
