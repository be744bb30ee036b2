/**
 * What runs in a virtual machine from its first second. Without an identity it loads everything it will need and waits for
 * one: that is the moment at which a template is saved, before anything is decided that no two machines may share. Told to, it
 * first starts a service: then it is that service's template that is saved. With an identity it makes time and randomness the machine's own and becomes the machine's agent. Restarted, it knows who it is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ConsoleLog } from '../../registrar/agent/console-log.ts';
import { HostSide, type HostSideConfig } from '../../registrar/agent/host-side.ts';
import { runMachineAgent } from '../../registrar/agent/main.ts';
import { type WarmOrder, WarmService } from '../../registrar/agent/warm-service.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { isMcpError } from '../../specs/errors.ts';
import {
  type Grant,
  guestAddress,
  guestFolders,
  hostGateway,
  hostUrl,
  identityPortName,
  notWarmWord,
  timeAtGrant,
  type WarmLine,
  waitingWord,
} from './inside.ts';

const configFile = join(guestFolders.identity, 'agent.json');
const retryMs = 500;
const rehearsalMs = 2_000;

/** What `runMachineAgent` reads, and the token that the host wants to see first. */
interface KnownIdentity {
  uuid: string;
  token: string;
  host: HostSideConfig;
}

async function main(): Promise<void> {
  const read = await readIdentity();
  const received = read ? null : await receiveGrant();
  const known = read ?? (await become(received as Received));
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')));
  // At the same time: the agent can read its assignment before the host has let it in.
  void joinHost(known, stop);
  await runMachineAgent(configFile, { signal: stop.signal, warm: received?.warm });
}

async function readIdentity(): Promise<KnownIdentity | null> {
  const text = await readFile(configFile, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as KnownIdentity);
}

interface Received {
  grant: Grant;
  renewer: ChildProcess;
  /** Was started before. */
  warm: WarmService | null;
}

async function receiveGrant(): Promise<Received> {
  // Started before it is needed: a resumed machine has no time to start it.
  const script = fileURLToPath(new URL('renew.pl', import.meta.url));
  const renewer = spawn('perl', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await answerOf(renewer);
  await rehearse();
  const port = createReadStream(await identityPort());
  await once(port, 'open');
  console.log(waitingWord);
  let warm: WarmService | null = null;
  for await (const line of createInterface({ input: port })) {
    const word = JSON.parse(line) as Grant | WarmLine;
    if ('warm' in word) {
      warm = await warmUp(word.warm);
      continue;
    }
    port.destroy();
    return { grant: word, renewer, warm };
  }
  throw new Error('the identity port closed');
}

/**
 * Does once, in vain, what the machine will do first: what is loaded and compiled by it is then in the template. The host
 * refuses a machine without a grant, and nobody listens at port 1; nothing of it stays.
 */
async function rehearse(): Promise<void> {
  const briefly = AbortSignal.timeout(rehearsalMs);
  const side = new HostSide(hostSide('rehearsal-rehearsal'));
  const registry = connectZooKeeper(`${hostGateway}:1/mcp`, { signal: briefly, sessionTimeoutMs: 4_000 });
  await Promise.allSettled([side.join('nobody', 'none', briefly), registry.then((client) => client.close())]);
}

/** What is said afterwards on the console tells the host how it went. */
async function warmUp(order: WarmOrder): Promise<WarmService | null> {
  const log = new ConsoleLog((text) => void process.stdout.write(text), systemClock);
  try {
    const warm = await WarmService.start({
      order,
      dir: guestFolders.work,
      host: new HostSide(hostSide('no-pass-before-the-identity')),
      clock: systemClock,
      voice: log.voice('service'),
      signal: new AbortController().signal,
    });
    console.log(waitingWord);
    return warm;
  } catch (error) {
    console.log(`${notWarmWord}${messageOf(error).replaceAll('\n', ' ')}`);
    return null;
  }
}

function hostSide(pass: string): HostSideConfig {
  return { url: hostUrl, pass, bindAddress: guestAddress, gateway: hostGateway };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Ports are numbered by how the kernel found their devices; the name is ours. */
async function identityPort(): Promise<string> {
  const ports = '/sys/class/virtio-ports';
  for (const port of await readdir(ports)) {
    if ((await readFile(join(ports, port, 'name'), 'utf8')).trim() === identityPortName) return join('/dev', port);
  }
  throw new Error(`there is no port ${identityPortName}`);
}

/** Nothing random is drawn and no time is told before this is done. */
async function become({ grant, renewer }: Received): Promise<KnownIdentity> {
  await renew(renewer, grant);
  // V8 seeded its own generator before the template was saved: all clones would draw the same numbers.
  Math.random = () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
  const { now: _now, seed: _seed, ...identity } = grant;
  // Kept before the token is used: a restarted agent shows the same pass again, which is no replay.
  const host = hostSide(randomBytes(24).toString('hex'));
  const known = { ...identity, dir: guestFolders.work, host };
  await writeFile(`${configFile}.new`, JSON.stringify(known), { mode: 0o600 });
  await rename(`${configFile}.new`, configFile);
  console.log(`mcp: machine ${grant.uuid}`);
  return known;
}

async function renew(renewer: ChildProcess, grant: Grant): Promise<void> {
  const now = timeAtGrant(Date.now(), grant.now);
  const done = answerOf(renewer);
  renewer.stdin?.end(`${Math.floor(now / 1000)} ${(now % 1000) * 1_000_000} ${grant.seed}\n`);
  await done;
}

function answerOf(renewer: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    renewer.stdout?.once('data', () => resolve());
    renewer.once('exit', (code) => reject(new Error(`time and randomness can't be renewed (exit code ${code})`)));
  });
}

async function joinHost({ uuid, token, host }: KnownIdentity, stop: AbortController): Promise<void> {
  const side = new HostSide(host);
  for (;;) {
    try {
      await side.join(uuid, token, stop.signal);
      console.log('mcp: joined');
      return;
    } catch (error) {
      if (stop.signal.aborted) return;
      console.log(`mcp: not joined: ${messageOf(error)}`);
      if (isMcpError(error) && !error.retryable) return stop.abort(error);
      await sleep(retryMs);
    }
  }
}

await main();
