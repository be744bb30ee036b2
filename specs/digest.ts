import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { Environment, Service, Version } from './nouns.ts';

/** sha256 of the text as UTF-8, lower-case hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** sha256, lower-case hex, of a value's canonical JSON. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** What goes into a version's digest: what an instance runs and how it is stopped, not how many there are. */
export function versionDigest(
  version: Omit<Version, 'digest'>,
  service: Pick<Service, 'drainTimeoutMs' | 'stopTimeoutMs'>,
): string {
  const { version: name, artifact, command, port, env, health } = version;
  const { drainTimeoutMs, stopTimeoutMs } = service;
  return digestOf({ version: name, artifact, command, port, env, health, drainTimeoutMs, stopTimeoutMs });
}

/** The digest that /desired keeps of an environment. */
export function environmentDigest(environment: Environment): string {
  return digestOf(environment);
}
