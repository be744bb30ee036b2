import { LeaderLatch } from '../../registrar/recipes/leader-latch.ts';
import { SessionKeeper } from '../../registrar/recipes/session-keeper.ts';
import type { ConnectRegistry } from '../../registrar/registry-client.ts';
import { type LeadOptions, leadTerm } from './lead-term.ts';

export interface ControllerOptions extends Omit<LeadOptions, 'client'> {
  connect: ConnectRegistry;
  /** Ends the controller; machines and services go on. */
  signal: AbortSignal;
}

/**
 * Runs one controller until `signal` aborts: a standby while another leads, the leader when its turn comes, through lost
 * connections and sessions. Nothing is kept but in the registry: kill -9 at any point is a normal stop. Rejects only where no
 * retry can help (refused credentials, a bad connect string).
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const { connect, clock, log, id, signal, ...rest } = options;
  const keeper = new SessionKeeper({
    connect,
    clock,
    onSession: (client, session) => {
      const latch = new LeaderLatch({ client, clock, id });
      return latch.run((term) => leadTerm({ ...rest, client, clock, log, id }, term), session);
    },
    onLost: (reason) => log.warn({ problem: String(reason) }, 'the registry session is over'),
  });
  await keeper.run(signal);
}
