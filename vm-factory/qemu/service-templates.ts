/**
 * The service templates of one environment's provider: made in the background, one at a time, dropped when nobody wants them.
 * All state but who failed when is on disk: providers that share the folder share the templates.
 */
import { mkdirSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { isMcpError } from '../../specs/errors.ts';
import { ownName, unless } from '../process/files.ts';
import type { ServiceTemplate, TemplateState } from '../provider.ts';
import { type Model, modelLabel } from './model.ts';
import { ensureTemplate, findTemplate, stagingOfServices, templateFolder } from './template.ts';
import { tidyVms } from './vm-folders.ts';
import type { VmStock } from './vm-stock.ts';
import { warmUp } from './warm-up.ts';

/** What failed is tried again after this long, ms; each further time after twice as long, up to the last. */
const againMs = { first: 30_000, last: 1_800_000 };

export interface ServiceTemplatesOptions {
  /** The provider's. */
  dir: string;
  stock: VmStock;
  /** Paused clones of each that are kept. */
  size: number;
  /** Folder with the environment's artifacts, or null. */
  artifacts: string | null;
  clock: Clock;
  log?: Logger;
}

interface Failure {
  reason: string;
  /** On the monotonic clock, ms. */
  until: number;
  inARow: number;
}

export class ServiceTemplates {
  readonly #options: ServiceTemplatesOptions;
  readonly #home: string;
  readonly #staging: string;
  readonly #closing = new AbortController();
  /** By the model's label. */
  readonly #failed = new Map<string, Failure>();
  #making: { label: string; done: Promise<void> } | null = null;
  readonly #filling = new Map<string, Promise<void>>();

  constructor(options: ServiceTemplatesOptions) {
    this.#options = options;
    this.#home = join(options.dir, 'templates');
    this.#staging = stagingOfServices(this.#home);
    for (const folder of [this.#home, this.#staging]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** The plain model with a service in it. */
  modelOf(plain: Model, name: string): Model {
    return { ...plain, service: { name, home: this.#home } };
  }

  /** Those of `wanted` are made or kept, each of its model; all others go. Gives how each is, in the same order. */
  async keep(
    wanted: readonly { template: ServiceTemplate; plain: Model }[],
    mayMake: boolean,
  ): Promise<TemplateState[]> {
    const models = wanted.map(({ template, plain }) => this.modelOf(plain, template.order.template));
    await this.#drop(models);
    const states: TemplateState[] = [];
    for (const [at, { template }] of wanted.entries()) {
      const model = models[at];
      if (model) states.push(await this.#keepOne(model, template, mayMake));
    }
    return states;
  }

  /** Ends what dead processes left half-made. */
  tidy(): Promise<void> {
    return tidyVms(this.#staging, this.#options.clock);
  }

  /** Ends making; resolves when what was begun is ended. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the provider is closed'));
    await Promise.all([this.#making?.done, ...this.#filling.values()]);
  }

  async #keepOne(model: Model, { order }: ServiceTemplate, mayMake: boolean): Promise<TemplateState> {
    const label = modelLabel(model);
    if (await findTemplate(model)) {
      this.#failed.delete(label);
      if (mayMake) this.#fill(model);
      return { state: 'ready', reason: '' };
    }
    if (this.#making?.label === label) return { state: 'making', reason: 'its service is started in a template' };
    const failure = this.#failed.get(label);
    const leftMs = failure ? failure.until - this.#options.clock.monotonic() : 0;
    if (failure && leftMs > 0) return { state: 'failed', reason: failure.reason };
    if (this.#making) return { state: 'waiting', reason: 'another template is being made' };
    if (!mayMake) return { state: 'waiting', reason: 'machines that somebody waits for come first' };
    const done = this.#make(model, order).finally(() => {
      this.#making = null;
    });
    this.#making = { label, done };
    return { state: 'making', reason: 'its service is started in a template' };
  }

  async #make(model: Model, order: ServiceTemplate['order']): Promise<void> {
    const { clock, log, artifacts } = this.#options;
    const { signal } = this.#closing;
    const label = modelLabel(model);
    const facts = { service: order.service, version: order.version.version, template: order.template };
    try {
      await ensureTemplate(model, clock, signal, warmUp(order, artifacts));
      log?.info(facts, 'a service template is ready');
    } catch (error) {
      if (signal.aborted) return;
      const inARow = (this.#failed.get(label)?.inARow ?? 0) + 1;
      const reason = error instanceof Error ? error.message : String(error);
      const pauseMs = Math.min(againMs.last, againMs.first * 2 ** (inARow - 1));
      this.#failed.set(label, { reason, inARow, until: clock.monotonic() + pauseMs });
      log?.warn({ ...facts, err: error, code: isMcpError(error) ? error.code : undefined }, 'no service template');
    }
  }

  #fill(model: Model): void {
    const { stock, size, log } = this.#options;
    const label = modelLabel(model);
    if (size === 0 || this.#filling.has(label) || this.#closing.signal.aborted) return;
    const filling = stock
      .fill(model, size)
      .catch((error: unknown) => log?.warn({ err: error }, 'no clone of a service template could be made'))
      .finally(() => this.#filling.delete(label));
    this.#filling.set(label, filling);
  }

  async #drop(wanted: readonly Model[]): Promise<void> {
    const folders = new Set(wanted.map((model) => basename(templateFolder(model))));
    for (const name of await readdir(this.#home)) {
      if (folders.has(name)) continue;
      const trash = join(this.#staging, ownName());
      await unless(rename(join(this.#home, name), trash), undefined, 'ENOENT');
      await rm(trash, { recursive: true, force: true });
    }
    await this.#options.stock.dropServices(new Set(wanted.map(modelLabel)));
  }
}
