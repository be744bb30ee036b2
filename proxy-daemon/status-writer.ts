/** Keeps /status.json current: written when something changed, and now and then as a sign of life. */
import type { Clock } from '../registrar/clock.ts';
import { replaceFile } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import type { Route } from './routes/route-table.ts';
import type { StatusReport } from './status-report.ts';

/** The page calls a status older than three of these stale. */
const heartbeatMs = 5000;
const restFactor = 20;
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

  constructor(paths: GatewayPaths, clock: Clock) {
    this.#path = paths.statusJson;
    this.#clock = clock;
  }

  /** Never throws: with a full disk the status is old, the traffic goes on. */
  write(report: StatusReport): void {
    const parts = Object.entries(report).flatMap(([key, value]) => (key === 'at' ? [] : partsOf(value)));
    const isSame = parts.length === this.#parts.length && parts.every((part, index) => part === this.#parts[index]);
    const started = this.#clock.monotonic();
    if ((isSame && started < this.#due) || started < this.#restUntil) return;
    try {
      replaceFile(this.#path, this.#distinct(jsonOf(report)));
      this.#parts = parts;
      const ended = this.#clock.monotonic();
      this.#due = ended + heartbeatMs;
      this.#restUntil = ended + (ended - started) * restFactor;
    } catch {
      this.#due = 0;
    }
  }

  /** With as many line ends as its size needs to be another one, so that who has one version is sent the next. */
  #distinct(text: string): string {
    const now = this.#clock.monotonic();
    this.#sizes = this.#sizes.filter(({ at }) => now - at < sameSecondMs);
    const own = Buffer.byteLength(text);
    let size = own;
    while (this.#sizes.some((other) => other.size === size)) size += 1;
    this.#sizes.push({ at: now, size });
    return text + '\n'.repeat(size - own);
  }
}

function jsonOf({ routes, ...rest }: StatusReport): string {
  return `${JSON.stringify(rest).slice(0, -1)},"routes":[${routes.map(jsonOfRoute).join(',')}]}`;
}

/** JSON of a route, which never changes: with many routes it is most of a status. */
function jsonOfRoute(route: Route): string {
  const known = routeJson.get(route);
  if (known !== undefined) return known;
  const text = JSON.stringify(route);
  routeJson.set(route, text);
  return text;
}

const routeJson = new WeakMap<Route, string>();

/** What a value is told by: arrays are made anew when they change, so they count by identity. */
function partsOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.values(value) : [value];
}
