/** Servers whose history is older than what a client has seen: they close its connections without a word. */
import { createServer, type Server, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { RegistryClient, SessionState } from '../../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { eventually } from '../../helpers/eventually.ts';

/** ms */
const sessionTimeout = 100;
/** Without jitter. */
const steady = { sessionTimeoutMs: sessionTimeout, random: () => 0 };

/** Takes sessions and answers each request as done at transaction 7, as far as it is told to take anybody. */
class Scripted {
  takes: (handshake: { zxid: bigint; session: bigint }) => boolean = () => true;
  /** Handshakes that were turned away: of the session, and of strangers. */
  turnedAway = { session: 0, strangers: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      let isOpen = false;
      socket.on('data', (bytes) => {
        if (isOpen) this.#answer(socket, bytes);
        else isOpen = this.#shakeHands(socket, bytes);
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  #shakeHands(socket: Socket, bytes: Buffer): boolean {
    const handshake = { zxid: bytes.readBigInt64BE(8), session: bytes.readBigInt64BE(20) };
    if (!this.takes(handshake)) {
      this.turnedAway[handshake.session === 0n ? 'strangers' : 'session'] += 1;
      socket.destroy();
      return false;
    }
    const reply = Buffer.alloc(40);
    reply.writeInt32BE(36, 0);
    reply.writeInt32BE(sessionTimeout, 8);
    reply.writeBigInt64BE(handshake.session || 99n, 12);
    reply.writeInt32BE(16, 20);
    socket.write(reply);
    return true;
  }

  #answer(socket: Socket, bytes: Buffer): void {
    const reply = Buffer.alloc(20);
    reply.writeInt32BE(16, 0);
    reply.writeInt32BE(bytes.readInt32BE(4), 4);
    reply.writeBigInt64BE(7n, 8);
    socket.write(reply);
  }
}

/** A session that has seen transaction 7, is cut off and finds its server taking no more than `takes`. Gives its states from then on. */
async function cutOff(t: ExecutionContext, server: Scripted, endTurnedAway: boolean, takes: Scripted['takes']) {
  const registry = await server.listen();
  t.teardown(() => server.stop());
  const client = await connectZooKeeper(registry, { ...steady, endTurnedAway });
  t.teardown(() => client.close());
  await client.delete('/x', -1);
  const states = statesOf(client);
  server.takes = takes;
  server.cut();
  return states;
}

function statesOf(client: RegistryClient): SessionState[] {
  const states: SessionState[] = [];
  client.onState((state) => void states.push(state));
  return states;
}

test('a session that saw more than the server knows of expires once the server takes others and not it', async (t) => {
  const server = new Scripted();
  const states = await cutOff(t, server, true, ({ zxid }) => zxid === 0n);
  await eventually('the end', () => states.length > 1);
  t.deepEqual(states, ['suspended', 'expired']);
});

test('without quorum everybody is turned away: the session waits, and goes on when the quorum is back', async (t) => {
  const server = new Scripted();
  const states = await cutOff(t, server, true, () => false);
  await eventually('a stranger asks too', () => server.turnedAway.strangers >= 1);
  // It comes back just as one asks.
  let isBack = false;
  server.takes = ({ session }) => {
    isBack ||= session === 0n;
    return isBack;
  };
  await eventually('the connection', () => states.length > 1);
  t.deepEqual(states, ['suspended', 'connected']);
});

test('who does not ask for it is turned away for ever, and sends no stranger', async (t) => {
  const server = new Scripted();
  const states = await cutOff(t, server, false, ({ zxid }) => zxid === 0n);
  await eventually('four tries', () => server.turnedAway.session >= 4);
  t.deepEqual(states, ['suspended']);
  t.is(server.turnedAway.strangers, 0);
});
