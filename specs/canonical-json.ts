/**
 * One text for one value: keys sorted, no white space, undefined members left out. Equal values give equal texts whatever
 * order they were built in, so that their digests can be compared.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
