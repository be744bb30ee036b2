/**
 * What follows from the routes, but is not needed to serve them: whose documents to read, and the table on disk. It works between
 * other things, and with very many instances it waits for a quieter moment.
 */
import type { Clock } from '../registrar/clock.ts';
import type { Environment } from '../specs/nouns.ts';
import type { DocumentSource } from './document-source.ts';
import { DocumentTargets } from './document-targets.ts';
import { saveLastGood } from './last-good.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { documentInfo } from './publication-parts.ts';
import type { RouteTable } from './routes/route-table.ts';

export interface AfterServingOptions {
  clock: Clock;
  paths: GatewayPaths;
  documents: DocumentSource;
  onFailure: (error: unknown) => void;
}

interface State {
  table: RouteTable;
  environment: Environment | null;
  /** nginx has this table. */
  isServed: boolean;
}

/** It may take at most one part in so many of the time. */
const rest = 20;
/** What takes longer than this, ms, begins only so long after a change, ms: the first requests come before it. */
const longMs = 4;
const waitMs = 100;

export class AfterServing {
  readonly #options: AfterServingOptions;
  readonly #targets = new DocumentTargets();
  #told: { targets: unknown; environment: Environment | null } | null = null;
  #saved: RouteTable | null = null;
  #working: Promise<void> | null = null;
  #changedAt: number | null = null;
  #tookMs = 0;
  #due = 0;

  constructor(options: AfterServingOptions) {
    this.#options = options;
  }

  /** To be called again and again: does what is due, one thing at a time. */
  look(state: State): void {
    const now = this.#options.clock.monotonic();
    const { table, environment, isServed } = state;
    const targets = this.#targets.of(table.routes);
    const isNews = targets !== this.#told?.targets || environment !== this.#told.environment;
    if (!isNews && (!isServed || table === this.#saved)) return;
    this.#changedAt ??= now;
    const isEarly = this.#tookMs > longMs && now < this.#changedAt + waitMs;
    if (this.#working || isEarly || now < this.#due) return;
    this.#changedAt = null;
    this.#working = this.#work(state, isNews ? targets : null).finally(() => {
      this.#working = null;
    });
  }

  /** Resolves when nothing of it is under way. */
  async ended(): Promise<void> {
    await this.#working;
  }

  async #work(
    { table, environment, isServed }: State,
    targets: ReturnType<DocumentTargets['of']> | null,
  ): Promise<void> {
    const { clock, paths, documents, onFailure } = this.#options;
    try {
      if (targets) documents.update(targets, documentInfo(environment));
      if (targets) this.#told = { targets, environment };
      let tookMs = 0;
      if (isServed && this.#saved !== table) {
        tookMs = await saveLastGood(paths, table, clock);
        this.#saved = table;
      }
      this.#tookMs = tookMs;
    } catch (error) {
      onFailure(error);
    }
    this.#due = clock.monotonic() + this.#tookMs * rest;
  }
}
