import type { Draft } from './draft.ts';
export function keepPool(_draft: Draft): void {}
