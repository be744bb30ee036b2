/** Keeps /status and /status/rates.json current: what is seen first, before the page itself asks for more. */
import type { Clock } from '../registrar/clock.ts';
import { replaceFileInSlices } from './files.ts';
import { inSlices } from './in-slices.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { pageHtml } from './pages/status/page.js';
import { RateHistory, type RatesReport } from './rate-history.ts';
import type { StatusReport } from './status-report.ts';
import type { TrafficReport } from './version-figures.ts';

type Traffic = Omit<TrafficReport, 'gateway'>;

/** Between two renderings, ms: where nobody's page asks by itself, that is how old it may be. */
const everyMs = 2000;
/** With very many services it takes long to write: so many times as long it rests. */
const restFactor = 5;
const nothing: Traffic = { at: 0, since: 0, versions: [], inFlight: [], down: [], uncounted: 0 };

export class PageWriter {
  readonly #paths: GatewayPaths;
  readonly #clock: Clock;
  readonly #history = new RateHistory();
  #traffic: Traffic = nothing;
  #due = 0;

  constructor(paths: GatewayPaths, clock: Clock) {
    this.#paths = paths;
    this.#clock = clock;
  }

  /** What nginx counted; null: this mode counts nothing. */
  count(traffic: Traffic | null): void {
    this.#traffic = traffic ?? nothing;
    if (traffic !== null) this.#history.add(traffic);
  }

  /** Never throws: with a full disk the page is old, the traffic goes on. One at a time, between other work. */
  async write(status: StatusReport): Promise<void> {
    const started = this.#clock.monotonic();
    if (started < this.#due) return;
    this.#due = Number.POSITIVE_INFINITY;
    const [traffic, now] = [this.#traffic, this.#clock.now()];
    const { doors, rollouts } = status;
    try {
      const rates = await inSlices(this.#history.report(), this.#clock);
      await replaceFileInSlices(this.#paths.ratesJson, ratesJson(rates), this.#clock);
      const world = { status, traffic, rates, doors, rollouts, now };
      await replaceFileInSlices(this.#paths.statusPage, pageHtml(world), this.#clock);
    } catch {}
    const ended = this.#clock.monotonic();
    this.#due = Math.max(started + everyMs, ended + (ended - started) * restFactor);
  }
}

function* ratesJson({ services, ...rest }: RatesReport): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"services":{`;
  let comma = '';
  for (const [service, figures] of Object.entries(services)) {
    yield `${comma}${JSON.stringify(service)}:${JSON.stringify(figures)}`;
    comma = ',';
  }
  yield '}}';
}
