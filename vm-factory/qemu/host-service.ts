/**
 * What a machine's guest may ask of its host. QEMU runs this for each connection that the guest makes to the service's
 * address, in the machine's folder, with the connection as standard input: so it lives as long as QEMU, needs no daemon, and
 * can serve nobody but its own machine.
 *
 * - POST /join {uuid, token}: makes the pass shown with it valid. The token works once; the same pass again changes nothing.
 * - POST /ports/<port>: forwards the port of the machine's address to the guest.
 * - GET /artifacts/<sha256>: a file of the environment's artifacts. Of a machine that becomes a service's template, without a
 *   pass, but that service's only.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { systemClock } from '../../registrar/system-clock.ts';
import { guestAddress } from '../guest/inside.ts';
import { readWord, writeOnce } from '../process/files.ts';
import { vmFiles } from './command-line.ts';
import { type HostGrant, hostFiles, type Offer, parseHostGrant, parseOffer } from './grant.ts';
import { humanCommand, withQmp } from './qmp-client.ts';

/** A guest that sends nothing is hung up on, ms. */
const silenceMs = 30_000;
const mostBodyBytes = 10_000;

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '' } = request;
  const offered = readOffer();
  if (offered && method === 'GET' && url === `/artifacts/${offered.sha256}`)
    return sendArtifact(offered.artifacts, offered.sha256 ?? '', response);
  const grant = readGrant();
  const pass = /^Bearer ([0-9A-Za-z]{16,128})$/.exec(request.headers.authorization ?? '')?.[1];
  if (pass === undefined) throw new Refusal(401, 'no pass');
  if (method === 'POST' && url === '/join') {
    await admit(grant, pass, await readBody(request));
  } else if ((await readWord(hostFiles.pass)) !== pass) {
    throw new Refusal(425, 'this pass has not joined');
  } else if (method === 'POST' && /^\/ports\/\d{1,5}$/.test(url)) {
    await openPort(grant.address, Number(url.slice('/ports/'.length)));
  } else if (method === 'GET' && /^\/artifacts\/[0-9a-f]{64}$/.test(url)) {
    return sendArtifact(grant.artifacts, url.slice('/artifacts/'.length), response);
  } else {
    throw new Refusal(404, 'no such thing');
  }
  response.writeHead(204).end();
}

function readGrant(): HostGrant {
  try {
    return parseHostGrant(readFileSync(hostFiles.grant, 'utf8'));
  } catch {
    throw new Refusal(425, 'this machine has no identity yet');
  }
}

/** Where nobody is yet, but shall be warmed up. */
function readOffer(): Offer | null {
  try {
    return parseOffer(readFileSync(hostFiles.offer, 'utf8'));
  } catch {
    return null;
  }
}

async function admit(grant: HostGrant, pass: string, body: unknown): Promise<void> {
  const { uuid, token } = Object(body) as { uuid?: unknown; token?: unknown };
  if (uuid !== grant.uuid) throw new Refusal(403, 'another machine');
  if (token !== grant.token) throw new Refusal(403, "not this machine's token");
  const admitted = await readWord(hostFiles.pass);
  if (admitted === null && systemClock.monotonic() > grant.expiresAt) throw new Refusal(403, 'the token has expired');
  if ((admitted ?? (await writeOnce(hostFiles.pass, pass))) !== pass) throw new Refusal(403, 'the token was used');
}

async function openPort(address: string, port: number): Promise<void> {
  if (port < 1 || port > 65_535) throw new Refusal(400, 'not a port');
  await withQmp(vmFiles.ports, async (qmp) => {
    const table = await qmp.execute('human-monitor-command', { 'command-line': 'info usernet' });
    const known = String(table)
      .split('\n')
      .some((line) => {
        const [kind, , from, fromPort] = line.trim().split(/\s+/);
        return kind === 'TCP[HOST_FORWARD]' && from === address && Number(fromPort) === port;
      });
    if (!known) await humanCommand(qmp, `hostfwd_add n0 tcp:${address}:${port}-${guestAddress}:${port}`);
  }).catch((error: unknown) => {
    throw new Refusal(409, `${address}:${port}: ${error instanceof Error ? error.message : error}`);
  });
}

async function sendArtifact(folder: string | null, digest: string, response: ServerResponse): Promise<void> {
  const names = folder === null ? [] : await readdir(folder);
  const name = names.find((one) => one === digest || one.startsWith(`${digest}.`));
  if (folder === null || name === undefined) throw new Refusal(404, 'no such artifact');
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  await pipeline(createReadStream(join(folder, name)), response);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > mostBodyBytes) throw new Refusal(413, 'too long');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'not JSON');
  }
}

const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  answer(request, response).catch((error: unknown) => {
    if (response.headersSent) return void response.destroy();
    const status = error instanceof Refusal ? error.status : 500;
    response.writeHead(status, { 'content-type': 'text/plain' }).end(error instanceof Error ? error.message : '');
  });
});
const connection = new Socket({ fd: 0, readable: true, writable: true });
connection.setTimeout(silenceMs, () => connection.destroy());
connection.on('close', () => process.exit());
server.emit('connection', connection);
