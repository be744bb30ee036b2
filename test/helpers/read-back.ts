import type { Assertions } from 'ava';
import type { Environment } from '../../specs/nouns.ts';
import { resolveEnvironment } from '../../specs/resolve-environment.ts';
import { writeEnvironment } from '../../specs/write-environment.ts';
import { parseText } from './environment-text.ts';

/** Holds that what `mcp export` writes of a file declares the same again. Gives the environment. */
export function readBack(t: Pick<Assertions, 'deepEqual'>, text: string): Environment {
  const environment = resolveEnvironment(parseText(text), new Map());
  t.deepEqual(resolveEnvironment(parseText(writeEnvironment(environment)), new Map()), environment);
  return environment;
}
