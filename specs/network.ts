/** Networks as text: an address, or an address and how many of its bits count. Pure. */
import { isIP } from 'node:net';

/** `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. Not the whole of the internet. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
