/** Declared images to resolved ones: every file that a step names is kept under its digest. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DeclaredImage, DeclaredImageStep } from '../../specs/declared.ts';
import { imageDigest } from '../../specs/digest.ts';
import type { ImageSpec, ImageStep } from '../../specs/nouns.ts';
import { keepDirectory, keepFile, unreadable } from './keep-artifact.ts';

/**
 * @param base folder that paths are relative to
 * @param artifacts folder of kept files
 * Errors: SPEC_ARTIFACT_UNRESOLVED (with line and column), ARTIFACT_UNPACKABLE.
 */
export async function loadImages(
  declared: readonly DeclaredImage[],
  base: string,
  artifacts: string,
): Promise<ImageSpec[]> {
  const images: ImageSpec[] = [];
  for (const { steps, ...image } of declared) {
    const done: ImageStep[] = [];
    for (const step of steps) done.push(await loadStep(step, base, artifacts));
    const content = { ...image, steps: done };
    images.push({ ...content, digest: imageDigest(content) });
  }
  return images;
}

async function loadStep(step: DeclaredImageStep, base: string, artifacts: string): Promise<ImageStep> {
  if (step.kind === 'run') return step;
  const { kind, title, timeoutMs, at } = step;
  if (kind === 'puppet') {
    const manifest = await keepFile(resolve(base, step.manifest), artifacts, { name: step.manifest, at });
    return { kind, title, timeoutMs, manifest };
  }
  const { from, to } = step;
  const path = resolve(base, from);
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable({ name: from, at }, cause);
  });
  if (found.isDirectory())
    return { kind, title, timeoutMs, content: await keepDirectory(path, artifacts), form: 'directory', to };
  const form = found.mode & 0o111 ? 'program' : 'file';
  return { kind, title, timeoutMs, content: await keepFile(path, artifacts, { name: from, at }), form, to };
}
