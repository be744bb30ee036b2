/** Whether a port is taken, as the kernel's own tables say: nginx would try for long before it gives up. */
import { readFileSync } from 'node:fs';

const listening = '0A';
const anyAddress = /^0+$/;

/** True where something listens on `port` at this IPv4 address, or at all addresses. IPv6 addresses are not looked at. */
export function isTaken(address: string, port: number): boolean {
  const wanted = hexOf(address);
  return [...socketsIn('/proc/net/tcp'), ...socketsIn('/proc/net/tcp6')].some(({ at, of, state }) => {
    return state === listening && of === port && (anyAddress.test(at) || anyAddress.test(wanted) || at === wanted);
  });
}

function socketsIn(path: string): { at: string; of: number; state: string }[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [, at, port, state] = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line) ?? [];
    return at === undefined || state === undefined ? [] : [{ at, of: Number.parseInt(port ?? '', 16), state }];
  });
}

/** As the kernel writes it: the bytes of an IPv4 address from last to first. */
function hexOf(address: string): string {
  const bytes = address.split('.').map(Number);
  return bytes.length === 4 ? Buffer.from(bytes.reverse()).toString('hex').toUpperCase() : '';
}
