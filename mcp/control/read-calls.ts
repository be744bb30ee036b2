/** Whether operations that a new version lacks are still called: what all gateways together counted. */
import type { WatchedCalls } from '../../proxy-daemon/version-figures.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import { askTraffic } from './ask-gateway.ts';

/**
 * In the order asked for; null where not every gateway counts them (yet): part of the calls would look like few. `since` is when
 * the last of the gateways began. Never rejects but with the signal's reason.
 */
export async function readCalls(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  service: string,
  operations: readonly string[],
  signal: AbortSignal,
): Promise<WatchedCalls[] | null> {
  const answers = await Promise.all(gateways.map((gateway) => askTraffic(gateway, signal)));
  const all = operations.map((operation) => {
    const counted = answers.flatMap(
      (answer) => answer?.watched?.find((one) => one.service === service && one.operation === operation) ?? [],
    );
    if (counted.length < answers.length || counted.length === 0) return null;
    return {
      service,
      operation,
      requests: counted.reduce((sum, { requests }) => sum + requests, 0),
      since: Math.max(...counted.map(({ since }) => since)),
      lastAt: Math.max(...counted.map(({ lastAt }) => lastAt)),
    };
  });
  const known = all.filter((one) => one !== null);
  return known.length === all.length ? known : null;
}
