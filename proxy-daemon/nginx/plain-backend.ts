/**
 * Plain mode: each generation is a configuration file of its own. Candidate written, checked by `nginx -t`, renamed into
 * place, SIGHUP, then waited for until the new workers alone answer.
 */
import { renameSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../registrar/clock.ts';
import type { MergedDocument } from '../document-source.ts';
import { replaceFile } from '../files.ts';
import type { FrontDoor } from '../front-door/front-door.ts';
import type { GatewayBackend, Publication, PublicationTimes, TableUse } from '../gateway-backend.ts';
import { unheededChoices } from '../routes/choice-text.ts';
import type { RouteTable } from '../routes/route-table.ts';
import { makeNginxConfig } from './config.ts';
import { configurationInPlace, plainHeader } from './configuration-in-place.ts';
import { emit } from './emit.ts';
import { diskError, removeGenerationsBefore, writeGenerationFiles } from './generation-files.ts';
import { configRejected, NginxProcess } from './nginx-process.ts';
import { type GatewayPaths, gatewayPaths, generationMark } from './paths.ts';
import { canServePacked } from './run-nginx.ts';
import { removeOtherDocument, servedDocument, takeOverDocument, writeDocument } from './served-document.ts';
import { installStaticFiles } from './static-files.ts';
import { workerUser } from './worker-user.ts';

export interface PlainBackendOptions {
  /** Absolute. Made if missing. */
  dir: string;
  listen: { address: string; port: number };
  clock: Clock;
  workers: number;
}

/** Bounds of `worker_shutdown_timeout`, ms: old workers cost memory, one a reload. */
const drainBounds = { min: 1000, max: 300_000 };

export class PlainBackend implements GatewayBackend {
  readonly mode = 'plain';
  readonly reloads = true;
  readonly #options: PlainBackendOptions;
  readonly #paths: GatewayPaths;
  readonly #nginx: NginxProcess;
  readonly #user: string | null;
  /** Of the configuration in place; 0: there is none. */
  #generation: number;
  /** What tells two publications apart, of the one in place. */
  #served: { config: string; document: string };
  /** The last one rendered, without a number: `publish` mostly follows `serves`, and most tables have the same routes. */
  #rendered: { table: RouteTable; door: FrontDoor; drainTimeoutMs: number; config: string } | null = null;

  constructor(options: PlainBackendOptions) {
    this.#options = options;
    this.#paths = gatewayPaths(options.dir);
    installStaticFiles(this.#paths);
    this.#user = workerUser(options.dir);
    this.#nginx = new NginxProcess({ paths: this.#paths, listen: options.listen, clock: options.clock });
    const { mode, generation, document, text } = configurationInPlace(this.#paths);
    this.#generation = mode === 'plain' ? generation : 0;
    this.#served = { config: withoutHeader(text), document };
  }

  async start(): Promise<number> {
    // What dynamic mode left there is served until the first publication.
    const { generation } = configurationInPlace(this.#paths);
    if (generation === 0) return 0;
    if (this.#nginx.master() === null) await this.#nginx.start(this.#generation || null);
    else this.#nginx.adopt(generation);
    await takeOverDocument(this.#paths, 'whole', generation);
    return generation;
  }

  lastDocument(): MergedDocument | null {
    return servedDocument(this.#paths, 'whole');
  }

  serves(publication: Publication): boolean {
    if (this.#generation === 0 || this.#served.document !== publication.document.digest) return false;
    return this.#served.config === numbered(this.#render(publication), this.#generation);
  }

  async publish(generation: number, publication: Publication): Promise<PublicationTimes> {
    const { clock } = this.#options;
    const started = clock.monotonic();
    const config = numbered(this.#render(publication), generation);
    this.#writeCandidate(`${plainHeader(generation, publication.document.digest)}${config}`);
    const testing = this.#nginx.test(this.#paths.candidate);
    // The check does not look into the files that the configuration names, so they are written meanwhile.
    const files = this.#writeFiles(generation, publication).then(
      (show) => ({ show }),
      (error: unknown) => ({ error }),
    );
    const [test, written] = await Promise.all([testing, files]);
    if ('error' in written) throw diskError(written.error);
    if (!test.ok) throw configRejected(test.output);

    await written.show();
    renameSync(this.#paths.candidate, this.#paths.config);
    const old = this.#nginx.reload();
    const told = clock.monotonic();
    try {
      if (old) await this.#nginx.awaitReload(generation, old);
      else await this.#nginx.start(generation);
    } catch (error) {
      // What nginx refused must not be what it starts with next time.
      if (this.#generation > 0) replaceFile(this.#paths.config, this.#textInPlace());
      throw error;
    }
    this.#generation = generation;
    this.#served = { config, document: publication.document.digest };
    await removeOtherDocument(this.#paths, 'whole');
    await removeGenerationsBefore(this.#paths, this.oldestInFlight());
    return { ownMs: told - started - test.ms, testMs: test.ms, switchMs: clock.monotonic() - told };
  }

  oldestInFlight(): number {
    return this.#nginx.oldestInFlight(this.#generation);
  }

  leaving(): number {
    return this.#nginx.leaving();
  }

  reloadsDone(): number {
    return this.#nginx.reloads();
  }

  async revive(): Promise<boolean> {
    if (this.#generation === 0 || this.#nginx.master() !== null) return false;
    await this.#nginx.start(this.#generation);
    return true;
  }

  /** Which requests are in flight is known from the worker processes. */
  async observe(): Promise<void> {}

  async traffic(): Promise<null> {
    return null;
  }

  watch(): void {
    // Nothing is counted here.
  }

  async moment(): Promise<null> {
    return null;
  }

  tables(): readonly TableUse[] {
    return [];
  }

  alarm(): string {
    return unheededChoices(this.#rendered?.table.routes ?? []);
  }

  /** Resolves with what puts the document in its place. */
  async #writeFiles(generation: number, { table, document }: Publication): Promise<() => Promise<void>> {
    const [show] = await Promise.all([
      writeDocument(this.#paths, 'whole', generation, document),
      writeGenerationFiles(this.#paths, generation, table),
    ]);
    return show;
  }

  /** Nobody reads it but the check that follows, so it need not be whole at any other time. */
  #writeCandidate(text: string): void {
    try {
      writeFileSync(this.#paths.candidate, text, { mode: 0o644 });
    } catch (error) {
      throw diskError(error);
    }
  }

  #textInPlace(): string {
    return `${plainHeader(this.#generation, this.#served.document)}${this.#served.config}`;
  }

  #render({ table, door, drainTimeoutMs }: Publication): string {
    const known = this.#rendered;
    const isKnown = known?.table.routes === table.routes && known.door === door;
    if (isKnown && known.drainTimeoutMs === drainTimeoutMs) return known.config;
    const { listen, workers } = this.#options;
    const shutdownTimeoutMs = Math.min(drainBounds.max, Math.max(drainBounds.min, drainTimeoutMs));
    const settings = {
      listen,
      paths: this.#paths,
      user: this.#user,
      workers,
      shutdownTimeoutMs,
      gzipStatic: canServePacked(),
    };
    const config = emit(makeNginxConfig(table, settings, door));
    this.#rendered = { table, door, drainTimeoutMs, config };
    return config;
  }
}

/** The text of a configuration that has its number. */
function numbered(config: string, generation: number): string {
  return config.replaceAll(generationMark, String(generation));
}

function withoutHeader(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
}
