/** Edit distance (insert, delete, replace, swap of neighbours), for words as short as names and keys. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The known word that `word` was probably meant to be, or undefined where nothing is near: at most one slip in three
 * letters. `max_size` and `Max-Size` are near `max-size` at no cost.
 */
export function nearMiss(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 80) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll('_', '-');
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const slips = distance(plain(word), plain(candidate));
    if (slips < bestDistance && slips <= Math.ceil(Math.max(word.length, candidate.length) / 3)) {
      best = candidate;
      bestDistance = slips;
    }
  }
  return best;
}

/** `, did you mean "count"?`, or nothing: to be put behind a message. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const near = nearMiss(word, known);
  return near === undefined ? '' : `, did you mean "${near}"?`;
}
