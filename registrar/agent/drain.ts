/** Leaving without losing a request: announced in the registration, then waited for until no gateway has any in flight. */
import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { GatewayRecord } from '../records.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';
import { codecs, decode } from '../store/codecs.ts';
import { within } from './within.ts';

/** How often the gateways are looked at, ms. */
const lookMs = 200;
/**
 * With no gateway listed, the wait before that is believed, ms: after an outage of the registry, gateways that never stopped
 * routing need a moment to be listed again.
 */
const noGatewayMs = 2_000;

/** True when every listed gateway has let go of a registration that was changed to `draining` at `since`. */
export function drainedEverywhere(gateways: readonly Pick<GatewayRecord, 'drained'>[], since: Zxid): boolean {
  return gateways.every((gateway) => gateway.drained.asOf >= since);
}

/**
 * Waits until the registration has drained everywhere, at most `timeoutMs`. A registry that can't be reached tells nothing,
 * so then it waits on.
 * @param client the present session's client, null between sessions
 * @returns whether it drained (false: time ran out)
 */
export async function waitUntilDrained(options: {
  client: () => RegistryClient | null;
  since: Zxid;
  timeoutMs: number;
  clock: Clock;
  signal?: AbortSignal;
}): Promise<boolean> {
  const { client, since, timeoutMs, clock, signal } = options;
  const start = clock.monotonic();
  const drained = await within(clock, timeoutMs, signal, async (deadline) => {
    while (!deadline.aborted) {
      const gateways = await listGateways(client(), deadline).catch(() => null);
      const believed = gateways && (gateways.length > 0 || clock.monotonic() - start >= noGatewayMs);
      if (believed && drainedEverywhere(gateways, since)) return true;
      await clock.sleep(lookMs, deadline).catch(() => {});
    }
    return false;
  });
  signal?.throwIfAborted();
  return drained;
}

/** All live gateways; rejects where one can't be read, for then nothing is known of it. */
async function listGateways(client: RegistryClient | null, signal: AbortSignal): Promise<GatewayRecord[] | null> {
  if (!client) return null;
  const { children } = await client.children(paths.gateways, { signal });
  const gateways: GatewayRecord[] = [];
  for (const id of children) {
    const path = paths.gateway(id);
    try {
      gateways.push(decode(codecs.gateway, path, (await client.get(path, { signal })).data));
    } catch (error) {
      if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    }
  }
  return gateways;
}
