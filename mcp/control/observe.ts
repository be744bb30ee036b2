import type { Clock } from '../../registrar/clock.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import { imagesOf } from '../../specs/image-reference.ts';
import type { Environment } from '../../specs/nouns.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import { withDeadline } from './with-deadline.ts';

export interface ObserveInput {
  client: RegistryClient;
  provider: MachineProvider;
  clock: Clock;
  /** Registrations with loopback addresses are valid: the local environment. */
  allowLoopback: boolean;
  signal: AbortSignal;
}

/** A provider that has not listed its machines after this long, ms, has failed to (fault 28). */
const listDeadlineMs = 30_000;

/**
 * The world as one value: the registry and the provider's complete list. Rejects with the error of whatever could not be
 * read; it never gives a part, since absence in a snapshot is acted upon.
 */
export async function observe({ client, provider, clock, allowLoopback, signal }: ObserveInput): Promise<Snapshot> {
  const [view, [machines, limits]] = await Promise.all([
    readRegistry(client, { signal, allowLoopback }),
    withDeadline(clock, listDeadlineMs, signal, (deadline) =>
      Promise.all([provider.list(deadline), provider.limits(deadline)]),
    ),
  ]);
  const missingImages = await withDeadline(clock, listDeadlineMs, signal, (deadline) =>
    whatIsMissing(provider, view.desired?.record.environment, deadline),
  );
  const { sharedHost } = provider.capabilities;
  return { ...view, at: clock.now(), provider: machines, limits, sharedHost, missingImages };
}

/** Why machines of the declared images can't be made, by image. */
async function whatIsMissing(
  provider: MachineProvider,
  environment: Environment | undefined,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const found = await Promise.all(
    (environment ? imagesOf(environment) : []).map(async (image) => {
      const why = await provider.whyNoImage?.(image, signal);
      return why ? [[image, why] as const] : [];
    }),
  );
  return Object.fromEntries(found.flat());
}
