import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { Environment, ImageSpec, ImageStep, Service, Version } from './nouns.ts';

/** sha256 of bytes, or of a text as UTF-8; lower-case hex. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** sha256, lower-case hex, of a value's canonical JSON. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** What goes into a version's digest: what an instance runs and how it is stopped, not how many there are. */
export function versionDigest(
  version: Omit<Version, 'digest'>,
  service: Pick<Service, 'drainTimeoutMs' | 'stopTimeoutMs' | 'image'>,
): string {
  const { version: name, artifact, command, port, env, health } = version;
  const { drainTimeoutMs, stopTimeoutMs, image } = service;
  return digestOf({ version: name, artifact, command, port, env, health, drainTimeoutMs, stopTimeoutMs, image });
}

/** What goes into an image's digest: what is done and with which contents, wherever those are kept and however long it may take. */
export function imageDigest({ base, packages, steps }: Omit<ImageSpec, 'name' | 'digest'>): string {
  return digestOf({ base, packages, done: steps.map(contentOfStep) });
}

/** What a step of an image does, wherever its files are kept. */
export function contentOfStep(step: ImageStep): unknown {
  if (step.kind === 'run') return { run: step.script };
  if (step.kind === 'puppet') return { puppet: step.manifest.sha256 };
  return { copy: step.content.sha256, form: step.form, to: step.to };
}

/** The digest that /desired keeps of an environment. */
export function environmentDigest(environment: Environment): string {
  return digestOf(environment);
}
