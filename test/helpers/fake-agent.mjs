// Stands in for a machine's agent: tells its configuration on its console and sleeps. `--child` and `--escape` also start a
// sleeper, in its own process group or in a session of its own.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const words = process.argv.slice(2);
const config = words.at(-1) ?? '';
if (words.includes('--child')) spawn('sleep', ['1000'], { stdio: 'ignore' });
if (words.includes('--escape')) spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
console.log(readFileSync(config, 'utf8'));
console.error('agent up');
setInterval(() => {}, 1e9);
