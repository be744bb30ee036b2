/** Bakes in the folder argv[2], which is on a small disk; prints how it failed and what it left there. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMcpError } from '../../specs/errors.ts';
import { runs, tinyBake } from './tiny-image.ts';

const dir = process.argv[2] ?? '';
const { bake, context, treesDir } = await tinyBake(dir);
const failure = await bake([runs('echo small > /small'), runs('dd if=/dev/urandom of=/large bs=1M count=64')]).catch(
  (error: unknown) => error,
);
const { code, message, hint, retryable } = isMcpError(failure) ? failure : { code: String(failure) };
const whole = readdirSync(context.stepsDir).filter((name) => name !== 'staging').length;
const half = [...readdirSync(treesDir), ...readdirSync(join(context.stepsDir, 'staging'))];
console.log(JSON.stringify({ code, message, hint, retryable, whole, half }));
