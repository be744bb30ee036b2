/** What the daemon tells beside routing: /status and its files, /status/explain, metrics, the log's bounds. */
import type { Clock } from '../registrar/clock.ts';
import type { GatewaySpec } from '../specs/nouns.ts';
import type { DocumentSource } from './document-source.ts';
import { ExplainListener } from './explain/explain-listener.ts';
import { rotateLog } from './front-door/log-rotation.ts';
import type { GatewayBackend } from './gateway-backend.ts';
import { expositionOf } from './metrics/exposition.ts';
import { gatewayMetrics } from './metrics/gateway-metrics.ts';
import { MetricsListener } from './metrics/metrics-listener.ts';
import { MirroredAnswers } from './mirrored-answers.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { PageWriter } from './page-writer.ts';
import { explainRequest } from './routes/explain/explain-request.ts';
import { readQuestion } from './routes/explain/question.ts';
import type { StatusReport } from './status-report.ts';
import { StatusWriter } from './status-writer.ts';
import { TrafficWriter } from './traffic-writer.ts';

/** The page is not written so soon after a change, ms. */
const waitMs = 100;

export interface TellersOptions {
  paths: GatewayPaths;
  gateway: string;
  clock: Clock;
  documents: Pick<DocumentSource, 'compareAnswers'>;
  backend: () => GatewayBackend;
}

export class Tellers {
  readonly #options: TellersOptions;
  readonly #status: StatusWriter;
  readonly #traffic: TrafficWriter;
  readonly #page: PageWriter;
  readonly #metrics: MetricsListener;
  readonly #explain: ExplainListener;
  readonly #mirrored: MirroredAnswers;
  /** What is under way and writes files. */
  readonly #writing = new Set<Promise<void>>();
  #isCounting = false;
  /** Monotonic time of the oldest generation that the page was not written for yet; null: there is none. */
  #changedAt: number | null = null;
  /** The status told last. */
  #said: StatusReport | null = null;

  constructor(options: TellersOptions) {
    const { paths, gateway, clock, documents } = options;
    this.#options = options;
    this.#status = new StatusWriter(paths, clock);
    this.#traffic = new TrafficWriter(paths, gateway, clock);
    this.#page = new PageWriter(paths, clock);
    this.#metrics = new MetricsListener(() => this.#measure());
    this.#mirrored = new MirroredAnswers({ clock, compare: (pair) => documents.compareAnswers(pair) });
    this.#explain = new ExplainListener(
      paths.dir,
      (query) => this.#answer(query),
      (request, response) => void this.#mirrored.serve(request, response),
    );
  }

  open(): void {
    this.#explain.open();
  }

  /** `gateway`: as declared; undefined where that is not known, and all stays. Nothing is waited for: reading counts takes its time. */
  look(gateway: GatewaySpec | undefined): void {
    this.#begin(this.#count());
    if (gateway === undefined) return;
    this.#metrics.configure(gateway.metrics);
    rotateLog(this.#options.paths, gateway.accessLog);
  }

  say(status: StatusReport): void {
    this.#begin(this.#status.write(status));
    if (!this.#isEarly(status)) this.#begin(this.#page.write(status));
    this.#said = status;
  }

  /** The first requests of what changed come before its page, which the next look writes soon enough, also while more changes. */
  #isEarly({ served }: StatusReport): boolean {
    const now = this.#options.clock.monotonic();
    if (this.#said !== null && served.generation !== this.#said.served.generation) this.#changedAt ??= now;
    if (this.#changedAt !== null && now < this.#changedAt + waitMs) return true;
    this.#changedAt = null;
    return false;
  }

  alarm(): string {
    return [this.#metrics.alarm(), this.#explain.alarm()].filter(Boolean).join('; ');
  }

  close(): void {
    this.#metrics.close();
    this.#explain.close();
  }

  /** Resolves when nothing of it is under way. */
  async ended(): Promise<void> {
    await Promise.all(this.#writing);
  }

  #begin(writing: Promise<void>): void {
    this.#writing.add(writing);
    void writing.then(() => this.#writing.delete(writing));
  }

  /** One at a time; never rejects. */
  async #count(): Promise<void> {
    if (this.#isCounting) return;
    this.#isCounting = true;
    const counted = await this.#options.backend().traffic();
    const traffic = counted && this.#mirrored.told(counted);
    this.#page.count(traffic);
    await this.#traffic.write(traffic);
    this.#isCounting = false;
  }

  async #measure(): Promise<string> {
    const backend = this.#options.backend();
    const [status, traffic, reloads] = [this.#said, await backend.traffic(), backend.reloadsDone()];
    return status === null ? '' : expositionOf(gatewayMetrics({ status, traffic, reloads }));
  }

  async #answer(query: string): Promise<object> {
    const doors = this.#said?.doors ?? [];
    const keyHeaders = doors
      .flatMap((door) => [door, ...door.operations])
      .flatMap(({ apiKeys }) => apiKeys?.header ?? []);
    const question = readQuestion(query, keyHeaders);
    const moment = await this.#options.backend().moment();
    const status = this.#said;
    if (status === null) throw new Error('nothing is known yet');
    const { gateway, mode, modeReason, environment, routes, rejected, served, tls, rollouts } = status;
    return explainRequest({
      ...{ gateway, mode, modeReason, environment, routes, rejected, doors, question, moment },
      at: this.#options.clock.now(),
      generation: served.generation,
      rollout: (service) => rollouts.find((one) => one.service === service) ?? null,
      redirect: tls?.redirect ? tls.url : null,
      notes: [
        ...(status.problem === ''
          ? []
          : [`these routes are the wanted ones, but are not served yet: ${status.problem}`]),
        ...(status.registry.connected ? [] : [`the registry can't be read: ${status.registry.reason}`]),
      ],
    });
  }
}
