/** Keeps /status/traffic.json current: what the gateway counted. A file of its own, since it changes with every request. */
import type { Clock } from '../registrar/clock.ts';
import { replaceFileInSlices } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import type { TrafficReport } from './version-figures.ts';

export class TrafficWriter {
  readonly #path: string;
  readonly #gateway: string;
  readonly #clock: Clock;
  #writtenAt: number | null = null;

  constructor(paths: GatewayPaths, gateway: string, clock: Clock) {
    this.#path = paths.trafficJson;
    this.#gateway = gateway;
    this.#clock = clock;
  }

  /** Never rejects: with a full disk the figures are old, the traffic goes on. One at a time, between other work. */
  async write(traffic: Omit<TrafficReport, 'gateway'> | null): Promise<void> {
    const at = traffic?.at ?? 0;
    if (at === this.#writtenAt) return;
    const empty = { at: 0, since: 0, versions: [], inFlight: [], down: [], uncounted: 0 };
    const report: TrafficReport = { gateway: this.#gateway, ...(traffic ?? empty) };
    try {
      await replaceFileInSlices(this.#path, jsonOf(report), this.#clock);
      this.#writtenAt = at;
    } catch {
      this.#writtenAt = null;
    }
  }
}

function* jsonOf({ versions, ...rest }: TrafficReport): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"versions":[`;
  for (const [at, version] of versions.entries()) yield `${at === 0 ? '' : ','}${JSON.stringify(version)}`;
  yield ']}';
}
