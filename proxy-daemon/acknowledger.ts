/** Writes what this gateway serves to /gateways/<id>, an ephemeral node, whenever it changed. The newest word wins. */

import type { Clock } from '../registrar/clock.ts';
import { paths } from '../registrar/layout.ts';
import type { GatewayRecord } from '../registrar/records.ts';
import type { RegistryClient } from '../registrar/registry-client.ts';
import { codecs, encode } from '../registrar/store/codecs.ts';
import { isMcpError } from '../specs/errors.ts';

const retryMs = 500;

export class Acknowledger {
  readonly #clock: Clock;
  #record: GatewayRecord | null = null;
  #wake = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the registry should say from now on. Equal to the last but for `at`: nothing is written. */
  say(record: GatewayRecord): void {
    if (this.#record !== null && sameButTime(this.#record, record)) return;
    this.#record = record;
    this.#wake.resolve();
  }

  /** Writes for the length of a session: a node of an earlier session of ours is replaced first (P11). */
  async run(client: RegistryClient, signal: AbortSignal): Promise<void> {
    let written: GatewayRecord | null = null;
    const stop = () => this.#wake.resolve();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      if (this.#record === null || this.#record === written) {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
        continue;
      }
      const record: GatewayRecord = this.#record;
      try {
        await write(client, record, signal);
        written = record;
      } catch {
        await this.#clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }
}

function sameButTime(a: GatewayRecord, b: GatewayRecord): boolean {
  return encode(codecs.gateway, { ...a, at: 0 }) === encode(codecs.gateway, { ...b, at: 0 });
}

async function write(client: RegistryClient, record: GatewayRecord, signal: AbortSignal): Promise<void> {
  const path = paths.gateway(record.id);
  const data = encode(codecs.gateway, record);
  const found = await client.exists(path, { signal });
  if (found !== null && found.ephemeralOwner === client.sessionId) {
    await client.set(path, data, -1, { signal });
    return;
  }
  if (found !== null) {
    await client.delete(path, found.version, { signal }).catch((error: unknown) => {
      if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    });
  }
  await client.create(path, data, { mode: 'ephemeral', signal });
}
