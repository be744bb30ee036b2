/** Keeps /status.json current: written when something changed, and now and then as a sign of life. */
import type { Clock } from '../registrar/clock.ts';
import { replaceFileInSlices } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { listJson } from './routes/list-json.ts';
import type { StatusReport } from './status-report.ts';

/** The page calls a status older than three of these stale. */
const heartbeatMs = 5000;
const restFactor = 20;
/** What takes longer than this, ms, begins only so long after a change, ms: the first requests come before it. */
const longMs = 1;
const waitMs = 100;
/** Two writes further apart than this are never of one second. */
const sameSecondMs = 2000;

export class StatusWriter {
  readonly #path: string;
  readonly #clock: Clock;
  #parts: unknown[] = [];
  #due = 0;
  /** Sizes written lately, and when: nginx tells two versions of a file apart by its size and the second it was written in. */
  #sizes: { at: number; size: number }[] = [];
  /** With very many routes a status takes long to write: not before this. */
  #restUntil = 0;
  #tookMs = 0;
  #changedAt: number | null = null;
  #isWriting = false;

  constructor(paths: GatewayPaths, clock: Clock) {
    this.#path = paths.statusJson;
    this.#clock = clock;
  }

  /** Never throws: with a full disk the status is old, the traffic goes on. One at a time, between other work. */
  async write(report: StatusReport): Promise<void> {
    const parts = Object.entries(report).flatMap(([key, value]) => (key === 'at' ? [] : partsOf(value)));
    const isSame = parts.length === this.#parts.length && parts.every((part, index) => part === this.#parts[index]);
    const started = this.#clock.monotonic();
    if (!isSame) this.#changedAt ??= started;
    const isEarly = this.#tookMs > longMs && started < (this.#changedAt ?? 0) + waitMs;
    if (this.#isWriting || isEarly || (isSame && started < this.#due) || started < this.#restUntil) return;
    this.#isWriting = true;
    this.#changedAt = null;
    try {
      this.#tookMs = await replaceFileInSlices(this.#path, jsonOf(report), this.#clock, (bytes) =>
        this.#padding(bytes),
      );
      this.#parts = parts;
      const ended = this.#clock.monotonic();
      this.#due = ended + heartbeatMs;
      this.#restUntil = ended + this.#tookMs * restFactor;
    } catch {
      this.#due = 0;
    } finally {
      this.#isWriting = false;
    }
  }

  /** As many line ends as the size needs to be another one, so that who has one version is sent the next. */
  #padding(bytes: number): string {
    const now = this.#clock.monotonic();
    this.#sizes = this.#sizes.filter(({ at }) => now - at < sameSecondMs);
    let size = bytes;
    while (this.#sizes.some((other) => other.size === size)) size += 1;
    this.#sizes.push({ at: now, size });
    return '\n'.repeat(size - bytes);
  }
}

function* jsonOf({ routes, ...rest }: StatusReport): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"routes":`;
  yield* listJson(routes);
  yield '}';
}

/** What a value is told by: arrays are made anew when they change, so they count by identity. */
function partsOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.values(value) : [value];
}
