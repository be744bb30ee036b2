/** The agent beside a process that someone else runs: checks its health, registers it, and lets it drain on the way out. */
import type { Logger } from 'pino';
import type { HealthCheck } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';
import { SessionKeeper } from '../recipes/session-keeper.ts';
import type { ConnectRegistry } from '../registry-client.ts';
import { watchHealth } from './health.ts';
import { OwnNodes } from './own-nodes.ts';
import { Registration } from './registration.ts';

export interface StandaloneAgent {
  /** Names the registration; no ledger knows it. */
  uuid: string;
  service: string;
  version: string;
  /** The process's IP address and port. */
  address: string;
  port: number;
  /** Path of its OpenAPI document. */
  document?: string;
  zone?: string;
  health: HealthCheck;
  /** The longest wait, ms, for the gateways to let go of it. */
  drainTimeoutMs: number;
  connect: ConnectRegistry;
  clock: Clock;
  log: Logger;
  /** Aborted to leave: announces draining, waits for the gateways, deregisters. */
  signal: AbortSignal;
}

const resyncMs = 30_000;

/**
 * Runs until the signal aborts and the process has drained. The process itself is never touched: who runs it stops it after
 * this resolved. Errors: REGISTRY_AUTH_FAILED, REGISTRY_BAD_ARGUMENTS; AGENT_SUPERSEDED.
 */
export async function runStandalone(agent: StandaloneAgent): Promise<void> {
  const { service, version, address, port, document, health, drainTimeoutMs, connect, clock, log, signal } = agent;
  const own = new OwnNodes(clock, (path, err) => log.warn({ path, err }, 'the registration could not be written'));
  const broken = new AbortController();
  const closing = new AbortController();
  const keeper = new SessionKeeper({
    connect,
    clock,
    onSession: (client, session) => own.keep(client, session).catch((error: unknown) => broken.abort(error)),
    onLost: (reason) => log.warn({ err: reason }, 'no registry session'),
  });
  const registration = new Registration(own, () => keeper.client(), clock, agent);
  registration.of({ service, document, version: { version, port } });
  const session = keeper.run(closing.signal).catch((error: unknown) => broken.abort(error));
  const ending = AbortSignal.any([signal, broken.signal]);
  const resync = (async () => {
    while (!ending.aborted) {
      await clock.sleep(resyncMs, ending).catch(() => {});
      own.doubt();
    }
  })();
  try {
    const target = { address, port, cwd: process.cwd(), env: {} };
    await watchHealth({
      check: health,
      target,
      clock,
      signal: ending,
      onVerdict: (verdict) => {
        log.info(verdict, verdict.healthy ? 'healthy: registered' : 'unhealthy: not registered');
        registration.set(verdict.healthy ? 'up' : null);
      },
    });
    await resync;
    if (registration.state) {
      registration.set('draining');
      const drained = await registration.drained(drainTimeoutMs);
      log.info({ drained }, drained ? 'drained' : 'the drain timeout passed');
    }
    await registration.withdraw();
  } finally {
    closing.abort();
    await session;
  }
  if (broken.signal.aborted && !signal.aborted) throw broken.signal.reason;
}
