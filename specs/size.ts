const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** What a size looks like: `512KiB`, `256MiB`, `1.5GiB`. */
export const sizePattern = /^(\d{1,7}(?:\.\d{1,3})?)(KiB|MiB|GiB)$/;

/** `512KiB`, `256MiB`, `1.5GiB` in whole bytes; undefined for anything else. A bare number is refused: of what? */
export function parseSize(text: string): number | undefined {
  const match = sizePattern.exec(text);
  const unit = units[match?.[2] ?? ''];
  return unit === undefined ? undefined : Math.round(Number(match?.[1]) * unit);
}

/** A size for people, in the largest unit that leaves at least 1: `96 MiB`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const size = units[unit] ?? 1;
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} B`;
}
