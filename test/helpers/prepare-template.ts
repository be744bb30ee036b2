/** Run as a program: makes the template of the flavor in the JSON argument, with a QEMU provider of the options there. Tests kill it. */
import { systemClock } from '../../registrar/system-clock.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { testImages } from './qemu-machines.ts';

const { provider, flavor } = JSON.parse(process.argv[2] ?? '{}');
await new QemuProvider({ ...provider, images: testImages, clock: systemClock }).prepare(minimalImage, flavor);
