import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { askAdmin, numberOf } from '../../../proxy-daemon/nginx/admin-client.ts';
import { eventually } from '../../helpers/eventually.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const whole = (body: string, more = '') => `HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;

/** Answers each question by `answer`, which is told the number of the connection and of the question on it. */
async function server(t: ExecutionContext, answer: (socket: Socket, connection: number, question: string) => void) {
  const path = join(await tempDir(t), 'admin');
  let connections = 0;
  const sockets = new Set<Socket>();
  const listening = createServer((socket) => {
    connections += 1;
    const own = connections;
    sockets.add(socket.on('error', () => {}));
    socket.setEncoding('utf8').on('data', (text: string) => answer(socket, own, text));
  });
  await new Promise<void>((resolve) => listening.listen(path, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    listening.close();
  });
  return { path, connections: () => connections };
}

test('questions one after another share a connection, those at a time have their own', async (t) => {
  const { path, connections } = await server(t, (socket, own, question) => {
    const text = whole(`was ${own}\npath ${question.split(' ')[1]}\n`);
    // In two pieces, cut within the head.
    socket.write(text.slice(0, 20));
    setImmediate(() => socket.write(text.slice(20)));
  });
  for (const one of ['/a', '/b', '/c']) {
    const answer = await askAdmin(path, 'GET', one);
    t.deepEqual(answer, {
      status: 200,
      lines: [
        ['was', '1'],
        ['path', one],
      ],
    });
  }
  const both = await Promise.all([askAdmin(path, 'GET', '/x'), askAdmin(path, 'POST', '/y', 'ä')]);
  t.deepEqual(both.map((answer) => numberOf(answer, 'was')).sort(), [1, 2]);
  t.is(connections(), 2);
});

test('a kept connection that was closed is made anew; one that says that it closes is not kept', async (t) => {
  const asked: string[] = [];
  const { path } = await server(t, (socket, own, question) => {
    asked.push(`${own} ${question.split(' ')[1]}`);
    if (own === 1 && question.includes('/second')) socket.destroy();
    else if (own === 2) socket.end(whole('', 'Connection: close\r\n'));
    else socket.write(whole(''));
  });
  for (const one of ['/first', '/second', '/third']) t.is((await askAdmin(path, 'GET', one)).status, 200);
  t.deepEqual(asked, ['1 /first', '1 /second', '2 /second', '3 /third']);
});

test('of the connections that many questions at a time needed a few are kept', async (t) => {
  let open = 0;
  const { path } = await server(t, (socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    socket.write(whole(''));
  });
  await Promise.all(Array.from({ length: 7 }, () => askAdmin(path, 'GET', '/')));
  await eventually('the others are closed', () => open === 4);
  t.is(open, 4);
});

test('an answer that was cut off, says no length or never comes is none', async (t) => {
  const { path } = await server(t, (socket, _, question) => {
    if (question.includes('/cut')) socket.end(whole('in-flight 1').slice(0, -3));
    else if (question.includes('/endless')) socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    else socket.end();
  });
  for (const one of ['/cut', '/endless', '/none']) {
    await t.throwsAsync(askAdmin(path, 'GET', one), { code: 'GATEWAY_ADMIN' }, one);
  }
  await t.throwsAsync(askAdmin(`${path}-nobody`, 'GET', '/'), { code: 'GATEWAY_ADMIN' });
});
