/** IP addresses as text, judged without a resolver; pure. */

/** `public` stands for every address that another machine can have, private ranges included. */
export type AddressKind = 'public' | 'loopback' | 'link-local' | 'unusable' | 'not-an-address';

/** What kind of address a text is. A host name is `not-an-address`; so are zones and leading zeros. */
export function addressKind(text: string): AddressKind {
  const four = parseIpv4(text);
  if (four) return kindOfIpv4(four);
  const groups = parseIpv6(text);
  return groups ? kindOfIpv6(groups) : 'not-an-address';
}

/**
 * The one way to write an address: lower case, the longest run of two or more zero groups as `::` (RFC 5952); as it was where it
 * is none. Programs differ about the other ways: nginx refuses `::` for a single group, and with it its whole configuration.
 */
export function canonicalAddress(text: string): string {
  const groups = parseIpv6(text);
  if (!groups) return text;
  const parts = groups.map((group) => group.toString(16));
  const longest = zeroRuns(groups).reduce((best, run) => (run.length > best.length ? run : best), { at: 0, length: 1 });
  if (longest.length < 2) return parts.join(':');
  return `${parts.slice(0, longest.at).join(':')}::${parts.slice(longest.at + longest.length).join(':')}`;
}

/** Where zero groups stand together, and how many. */
function zeroRuns(groups: readonly number[]): { at: number; length: number }[] {
  const runs: { at: number; length: number }[] = [];
  for (const [index, group] of groups.entries()) {
    const last = runs.at(-1);
    if (group !== 0) continue;
    if (last && last.at + last.length === index) last.length += 1;
    else runs.push({ at: index, length: 1 });
  }
  return runs;
}

/** The four bytes, or null. */
function parseIpv4(text: string): number[] | null {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** The eight groups, or null. */
function parseIpv6(text: string): number[] | null {
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return null;
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (!head || tail === null) return null;
  if (tail === undefined) return head.length === 8 ? head : null;
  const gap = 8 - head.length - tail.length;
  return gap < 1 ? null : [...head, ...new Array<number>(gap).fill(0), ...tail];
}

/** Groups between colons; the last may be an IPv4 address and stands for two. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    const four = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : null;
    if (four) groups.push(pair(four[0], four[1]), pair(four[2], four[3]));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

function pair(high = 0, low = 0): number {
  return high * 256 + low;
}

function kindOfIpv4([a = 0, b = 0]: number[]): AddressKind {
  if (a === 127) return 'loopback';
  if (a === 169 && b === 254) return 'link-local';
  // "This" network, multicast, reserved, broadcast.
  return a === 0 || a >= 224 ? 'unusable' : 'public';
}

function kindOfIpv6(groups: number[]): AddressKind {
  const first = groups[0] ?? 0;
  const leading = groups.slice(0, 5).every((group) => group === 0);
  const [sixth = 0, seventh = 0, eighth = 0] = groups.slice(5);
  if (leading && (sixth === 0 || sixth === 0xffff)) {
    if (sixth === 0 && seventh === 0 && eighth <= 1) return eighth === 1 ? 'loopback' : 'unusable';
    return kindOfIpv4([seventh >> 8, seventh & 0xff]);
  }
  if (first >= 0xfe80 && first <= 0xfebf) return 'link-local';
  return first >= 0xff00 ? 'unusable' : 'public';
}
