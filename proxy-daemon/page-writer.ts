/** Keeps /status and /status/rates.json current: what is seen first, before the page itself asks for more. */
import type { Clock } from '../registrar/clock.ts';
import { replaceFile } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { pageHtml } from './pages/status/page.js';
import { RateHistory } from './rate-history.ts';
import type { StatusReport } from './status-report.ts';
import type { TrafficReport } from './version-figures.ts';

type Traffic = Omit<TrafficReport, 'gateway'>;

/** Between two renderings, ms: where nobody's page asks by itself, that is how old it may be. */
const everyMs = 2000;
/** With very many services it takes long to write: at most one part in so many of the time. */
const restFactor = 20;
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

  /** Never throws: with a full disk the page is old, the traffic goes on. */
  write(status: StatusReport): void {
    const started = this.#clock.monotonic();
    if (started < this.#due) return;
    const rates = this.#history.report();
    const { doors, rollouts } = status;
    try {
      replaceFile(this.#paths.ratesJson, JSON.stringify(rates));
      const world = { status, traffic: this.#traffic, rates, doors, rollouts, now: this.#clock.now() };
      replaceFile(this.#paths.statusPage, pageHtml(world));
    } catch {}
    this.#due = started + Math.max(everyMs, (this.#clock.monotonic() - started) * restFactor);
  }
}
