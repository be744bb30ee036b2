/** Run as a program: creates the machine described by the JSON argument, says `created`, and stays. Tests kill it. */
import { systemClock } from '../../registrar/system-clock.ts';
import { ProcessProvider } from '../../vm-factory/process/process-provider.ts';

const { provider, request } = JSON.parse(process.argv[2] ?? '{}');
console.log('starting');
await new ProcessProvider({ ...provider, clock: systemClock }).create(request);
console.log('created');
setInterval(() => {}, 1e9);
