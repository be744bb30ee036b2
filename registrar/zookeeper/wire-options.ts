/** How a session on the wire is made; each with a default. */
import type { Acl } from '../registry-client.ts';
import type { RegistryTls } from './connection.ts';
import type { SessionCredentials } from './session.ts';

export interface WireOptions {
  /** What we ask for, ms; default 10,000. The server grants 2 to 20 of its ticks. */
  sessionTimeoutMs?: number;
  /** How long one server may take to answer, ms; default a part of the session timeout, at least 1,000. */
  connectTimeoutMs?: number;
  tls?: RegistryTls;
  /**
   * Credentials, sent with every connection. Never logged. Nodes created without an ACL of their own are then only for whoever
   * has the same ones.
   */
  auth?: { scheme: string; auth: Uint8Array | string }[];
  /** Rights on a node that is created without any, by its path; default: only for whoever has the same credentials. */
  aclOf?: (path: string) => readonly Acl[];
  /** Goes on with this session, where it still lives, in place of a new one. */
  resume?: SessionCredentials;
  /**
   * Lets the session expire where a server turns it away for longer than it lasts and takes a new one meanwhile: a server does so,
   * without a word, with whoever has seen a later transaction than it knows of, so its data was removed or is an older copy.
   * Default: it is tried for ever. For those who may begin anew in whatever registry they find.
   */
  endTurnedAway?: boolean;
  /** Told of each session: whoever has its credentials can go on with it, or end it. */
  onSession?: (credentials: SessionCredentials) => void;
  /** Requests waiting or on the wire; default 10,000. */
  queueLimit?: number;
  /** Bytes of them; default 64 MB. */
  queueBytes?: number;
  /** Larger replies reject with REGISTRY_TOO_LARGE; default 4 MB. */
  replyLimitBytes?: number;
  /** Told of each failed attempt and each broken connection, for logs. */
  onTrouble?: (error: unknown) => void;
  /** In [0, 1), for the order of servers and the jitter. */
  random?: () => number;
}
