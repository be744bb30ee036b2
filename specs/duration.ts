const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** What a duration looks like: `500ms`, `2s`, `1.5m`, `1h`. */
export const durationPattern = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;

/** `500ms`, `2s`, `1.5m`, `1h` in whole ms; undefined for anything else. A bare number is refused: of what? */
export function parseDuration(text: string): number | undefined {
  const match = durationPattern.exec(text);
  const unit = unitMs[match?.[2] ?? ''];
  return unit === undefined ? undefined : Math.round(Number(match?.[1]) * unit);
}

/** The shortest exact writing of `ms`: `500ms`, `2s`, `90s`, `1h`. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const size = unitMs[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
