/** What a contender for leadership does next; pure, after curator's StandardLockInternalsDriver. */
export type LatchStep =
  /** It has no node in the queue: make one. */
  | { act: 'join' }
  /** It is first. */
  | { act: 'lead' }
  /** Watch only the one just before, so that one death wakes one contender. */
  | { act: 'wait'; predecessor: string };

/** Decides by the queue's children (in any order) and the contender's own node's name, if it has one. */
export function decideLatch(children: readonly string[], own: string | null): LatchStep {
  const queue = latchQueue(children);
  const place = own === null ? -1 : queue.indexOf(own);
  if (place < 0) return { act: 'join' };
  const predecessor = queue[place - 1];
  return predecessor === undefined ? { act: 'lead' } : { act: 'wait', predecessor };
}

/** The contenders, first in line first. Names that are not a contender's are left out. */
export function latchQueue(children: readonly string[]): string[] {
  return children
    .flatMap((name) => {
      const sequence = /^n_(\d{10,})$/.exec(name)?.[1];
      return sequence === undefined ? [] : [{ name, sequence: Number(sequence) }];
    })
    .sort((a, b) => a.sequence - b.sequence)
    .map((entry) => entry.name);
}
