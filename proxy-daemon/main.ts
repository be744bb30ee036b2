/** The gateway, for whoever runs one: the CLI and the tests. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Clock } from '../registrar/clock.ts';
import { chooseMode, type GatewayMode } from './backend-choice.ts';
import { runGatewayDaemon } from './daemon.ts';
import { createDocumentStore } from './document/document-store.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { DynamicBackend } from './nginx/dynamic-backend.ts';
import { luaProblem } from './nginx/lua-module.ts';
import { endNginx } from './nginx/nginx-process.ts';
import { gatewayPaths } from './nginx/paths.ts';
import { PlainBackend } from './nginx/plain-backend.ts';
import { endpointOf } from './routes/route-table.ts';

export type RunGatewayOptions = Omit<GatewayOptions, 'backends' | 'url' | 'allowLoopback' | 'documents'> &
  Partial<Pick<GatewayOptions, 'url' | 'allowLoopback' | 'documents'>> & {
    /** nginx worker processes; by default one a core, at most four. */
    workers?: number;
    /** How nginx is made to serve; by default as the environment declares it, or dynamic where nginx can run Lua. */
    mode?: GatewayMode;
    /** Where HTTP/2 without TLS is spoken too, for gRPC (dynamic mode). */
    http2?: { address: string; port: number };
    /** The zone this gateway is in: instances there are preferred. */
    zone?: string;
    /** Room in nginx for the route tables, bytes; by default 64 MiB. Used only as far as there are routes. */
    tableBytes?: number;
  };

const defaultTableBytes = 64 * 1024 * 1024;

/**
 * Runs a gateway until `signal` aborts; nginx then goes on serving (see `stopNginx`). Rejects only where no retry can help
 * (wrong registry credentials). Without `allowLoopback`, registrations with loopback addresses are believed where the
 * gateway itself listens on one. `documents` is the caller's to close; without it the gateway keeps a store of its own.
 */
export async function runGateway(options: RunGatewayOptions): Promise<void> {
  const { listen, clock, workers = Math.min(4, availableParallelism()), mode } = options;
  const { http2 = null, zone = null, tableBytes = defaultTableBytes } = options;
  const dir = resolve(options.dir);
  const documents = options.documents ?? createDocumentStore({ clock, stateDir: join(dir, 'documents') });
  const problem = await luaProblem();
  try {
    await runGatewayDaemon({
      ...options,
      dir,
      url: options.url ?? `http://${endpointOf(listen)}`,
      allowLoopback: options.allowLoopback ?? (listen.address.startsWith('127.') || listen.address === '::1'),
      documents,
      backends: {
        choose: (declared) => chooseMode(mode, declared, problem),
        make: (chosen) =>
          chosen === 'plain'
            ? new PlainBackend({ dir, listen, clock, workers })
            : new DynamicBackend({ dir, listen, http2, clock, workers, zone, tableBytes }),
      },
    });
  } finally {
    if (!options.documents) await documents.close();
  }
}

/**
 * Ends the nginx that a gateway left running in `dir`: gracefully, by force after `graceMs`. Resolves false where none ran.
 * The gateway's daemon should have ended before, else it starts nginx again.
 */
export function stopNginx(dir: string, clock: Clock, graceMs = 2000): Promise<boolean> {
  return endNginx(gatewayPaths(resolve(dir)), clock, graceMs);
}
