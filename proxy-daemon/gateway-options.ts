/** What a gateway's daemon is given. */
import type { Logger } from 'pino';
import type { Clock } from '../registrar/clock.ts';
import type { ConnectRegistry } from '../registrar/registry-client.ts';
import type { BackendChoice } from './backend-choice.ts';
import type { DocumentSource } from './document-source.ts';

export interface GatewayOptions {
  /** Stable name of this gateway, [a-z0-9-]. */
  id: string;
  connect: ConnectRegistry;
  /** Opens sessions at ZooKeeper's own root, for registries of other software: with the ensemble named, or (null) MCP's own. */
  connectForeign: (hosts: string | null) => ConnectRegistry;
  /** Absolute path of its state directory. */
  dir: string;
  listen: { address: string; port: number };
  /** How others reach it, e.g. `http://127.0.0.1:8080`. */
  url: string;
  clock: Clock;
  log: Logger;
  /** Ends the daemon; nginx goes on. */
  signal: AbortSignal;
  backends: BackendChoice;
  documents: DocumentSource;
  /** True for the local environment, whose machines have loopback addresses. */
  allowLoopback: boolean;
  /** Where changes cost reloads: the first goes out at once; after it at most one in this time, ms. */
  minReloadIntervalMs?: number;
}
