/** The gateway, for whoever runs one: the CLI and the tests. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Clock } from '../registrar/clock.ts';
import { type GatewayOptions, runGatewayDaemon } from './daemon.ts';
import { endNginx } from './nginx/nginx-process.ts';
import { gatewayPaths } from './nginx/paths.ts';
import { PlainBackend } from './nginx/plain-backend.ts';

export type RunGatewayOptions = Omit<GatewayOptions, 'backend' | 'url' | 'allowLoopback'> &
  Partial<Pick<GatewayOptions, 'url' | 'allowLoopback'>> & {
    /** nginx worker processes; by default one a core, at most four. */
    workers?: number;
  };

/**
 * Runs a gateway until `signal` aborts; nginx then goes on serving (see `stopNginx`). Rejects only where no retry can help
 * (wrong registry credentials). Registrations with loopback addresses are believed where the gateway itself listens on one.
 */
export async function runGateway(options: RunGatewayOptions): Promise<void> {
  const { listen, clock, workers = Math.min(4, availableParallelism()) } = options;
  const dir = resolve(options.dir);
  const host = listen.address.includes(':') ? `[${listen.address}]` : listen.address;
  await runGatewayDaemon({
    ...options,
    dir,
    url: options.url ?? `http://${host}:${listen.port}`,
    allowLoopback: options.allowLoopback ?? (listen.address.startsWith('127.') || listen.address === '::1'),
    backend: new PlainBackend({ dir, listen, clock, workers }),
  });
}

/** Ends the nginx that a gateway left running in `dir`: gracefully, by force after `graceMs`. Does nothing where none runs. */
export async function stopNginx(dir: string, clock: Clock, graceMs = 2000): Promise<void> {
  await endNginx(gatewayPaths(resolve(dir)), clock, graceMs);
}
