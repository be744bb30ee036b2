/** Free ports and a free block of loopback addresses, so that environments can run side by side. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** `preferred` where it is free on the address, else any free port. */
export async function freePort(address = '127.0.0.1', preferred = 0): Promise<number> {
  return (await tryPort(address, preferred)) ?? (await tryPort(address, 0)) ?? 0;
}

function tryPort(address: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : null));
    });
  });
}

/** The first three numbers of a /24 inside 127/8 on which nothing listens. */
export async function freeAddressBlock(random: () => number): Promise<string> {
  const taken = listeningBlocks(await readFile('/proc/net/tcp', 'utf8'));
  for (;;) {
    const block = `127.${16 + Math.floor(random() * 224)}.${Math.floor(random() * 256)}`;
    if (!taken.has(block)) return block;
  }
}

/** Blocks of /proc/net/tcp's listening sockets; addresses there are little-endian hex, state 0A is LISTEN. */
export function listeningBlocks(procNetTcp: string): Set<string> {
  const blocks = new Set<string>();
  for (const line of procNetTcp.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    const hex = local?.split(':')[0];
    if (state !== '0A' || hex?.length !== 8) continue;
    const bytes = [6, 4, 2].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    blocks.add(bytes.join('.'));
  }
  return blocks;
}
