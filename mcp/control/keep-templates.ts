/** Tells the provider which service templates there shall be. */
import type { Clock } from '../../registrar/clock.ts';
import type { MachineProvider, ServiceTemplate } from '../../vm-factory/provider.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import { withDeadline } from './with-deadline.ts';

/** The longest wait for its word, ms: it makes them in the background. */
const answerMs = 5_000;

/** How they are; null where the provider has no such thing. Never rejects: what it can't tell is absent, and is not waited for. */
export async function keepTemplates(
  { provider, clock }: { provider: MachineProvider; clock: Clock },
  wanted: readonly ServiceTemplate[],
  mayMake: boolean,
  signal: AbortSignal,
): Promise<Snapshot['templates']> {
  const keep: MachineProvider['keepTemplates'] = provider.keepTemplates?.bind(provider);
  if (!keep) return null;
  return withDeadline(clock, answerMs, signal, (deadline) => keep(wanted, mayMake, deadline)).catch(() => undefined);
}
