import type { Path } from './yaml-tree.ts';

/** A broken rule between parts of an environment, and whether the key or the value at the path shows it. */
export interface BrokenRule {
  path: Path;
  on: 'key' | 'value';
  message: string;
}
