/** Keeps /status/traffic.json current: what the gateway counted. A file of its own, since it changes with every request. */
import { replaceFile } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import type { TrafficReport } from './version-figures.ts';

export class TrafficWriter {
  readonly #path: string;
  readonly #gateway: string;
  #writtenAt: number | null = null;

  constructor(paths: GatewayPaths, gateway: string) {
    this.#path = paths.trafficJson;
    this.#gateway = gateway;
  }

  /** Never throws: with a full disk the figures are old, the traffic goes on. */
  write(traffic: Omit<TrafficReport, 'gateway'> | null): void {
    const at = traffic?.at ?? 0;
    if (at === this.#writtenAt) return;
    const empty = { at: 0, since: 0, versions: [], inFlight: [], down: [], uncounted: 0 };
    const report: TrafficReport = { gateway: this.#gateway, ...(traffic ?? empty) };
    try {
      replaceFile(this.#path, JSON.stringify(report));
      this.#writtenAt = at;
    } catch {
      this.#writtenAt = null;
    }
  }
}
