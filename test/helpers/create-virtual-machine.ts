/** As create-machine.ts, with the QEMU provider: argv[2] is JSON of its options, without what can't be written so. */
import { systemClock } from '../../registrar/system-clock.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { testImages } from './qemu-machines.ts';

const { provider, request } = JSON.parse(process.argv[2] ?? '{}');
console.log('starting');
await new QemuProvider({ ...provider, images: testImages, clock: systemClock }).create(request);
console.log('created');
setInterval(() => {}, 1e9);
