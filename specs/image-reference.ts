/** How a declared image is called wherever a machine is made of it: by its name and by what it is. Pure. */
import type { Environment, ImageSpec, Service } from './nouns.ts';

/** Images that need no declaration: `process` is what machines are "made of" where they are processes. */
export const builtInImages: readonly string[] = ['minimal', 'process'];

const shownDigits = 12;
const bakedId = /^[0-9a-f]{64}$/;

/** `web@0f3a9c21b7d4`: another content is another image, also under the same name. */
export function imageReference({ name, digest }: Pick<ImageSpec, 'name' | 'digest'>): string {
  return `${name}@${digest.slice(0, shownDigits)}`;
}

/** Whether a reference means an image of this name and definition. */
export function isReferenceTo(reference: string, image: Pick<ImageSpec, 'name' | 'digest'>): boolean {
  return reference === imageReference(image);
}

/** A reference without what it is now: `web` of `web@0f3a9c21b7d4`. */
export function nameOfImage(reference: string): string {
  return reference.split('@')[0] ?? '';
}

/** What a service's machines are made of. */
export function imageOfService({ pool }: Pick<Environment, 'pool'>, { image }: Pick<Service, 'image'>): string {
  return image ?? pool.image;
}

/** References of all images that machines are made of: the pool's first, then those that services ask for. */
export function imagesOf(environment: Pick<Environment, 'pool' | 'services'>): string[] {
  const ofServices = environment.services.map((service) => imageOfService(environment, service));
  return [...new Set([environment.pool.image, ...ofServices])];
}

/** Whether the text names one baked image exactly, by its id. */
export function isImageId(text: string): boolean {
  return bakedId.test(text);
}
