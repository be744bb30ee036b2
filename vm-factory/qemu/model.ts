/** What a virtual machine is made from: clones come only from a template of the same model. */
import type { Flavor } from '../../specs/nouns.ts';
import type { Image } from '../image/image-store.ts';
import type { QemuFacts } from './accelerator.ts';
import { type MachineShape, shapeLabel } from './command-line.ts';

export interface Model {
  image: Image;
  shape: MachineShape;
  /** Its machines have a service already started. */
  service?: ServicePart;
}

interface ServicePart {
  /** The service template's name. */
  name: string;
  /** Folder of the environment's service templates. */
  home: string;
}

/** The same machine with nothing started in it. */
export function plainOf({ image, shape }: Model): Model {
  return { image, shape };
}

const mebibyte = 1024 ** 2;

/** Sizes are rounded up to whole MiB. */
export function shapeOf(
  { memoryBytes, cpus, diskBytes = 0 }: Flavor,
  { version, accelerator }: QemuFacts,
): MachineShape {
  return {
    qemu: version,
    accelerator,
    memoryMb: Math.ceil(memoryBytes / mebibyte),
    cpus,
    diskMb: Math.ceil(diskBytes / mebibyte),
  };
}

/** Equal words, equal models. */
export function modelLabel({ image, shape, service }: Model): string {
  return `${image.record.id}:${shapeLabel(shape)}${service ? `:${service.name}` : ''}`;
}
