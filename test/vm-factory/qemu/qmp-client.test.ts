import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { humanCommand, isSilent, QmpClient, withQmp } from '../../../vm-factory/qemu/qmp-client.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const greeting = '{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": []}}\r\n';

/** Speaks QMP as told: each command with its id goes to `answer`, what that gives is sent. */
async function speaker(t: ExecutionContext, answer: (command: string, id: number) => string, first = greeting) {
  const path = join(await tempDir(t), 'qmp');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(first);
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().trim().split('\n')) {
        const { execute, id } = JSON.parse(line);
        socket.write(execute === 'qmp_capabilities' ? `{"return": {}, "id": ${id}}\n` : answer(execute, id));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

test('answers find their commands by id, with events and other answers in between', async (t) => {
  const path = await speaker(t, (command, id) =>
    command === 'slow'
      ? ''
      : `{"event": "STOP", "timestamp": {}}\n{"return": "quick", "id": ${id}}\n{"return": "slow", "id": ${id - 1}}\n`,
  );
  await withQmp(path, async (qmp) => {
    t.deepEqual(await Promise.all([qmp.execute('slow'), qmp.execute('quick')]), ['slow', 'quick']);
  });
});

test("what QEMU refuses is told in QEMU's words", async (t) => {
  const path = await speaker(
    t,
    (_, id) => `{"error": {"class": "GenericError", "desc": "no such thing"}, "id": ${id}}\n`,
  );
  const error = await t.throwsAsync(
    withQmp(path, (qmp) => qmp.execute('cont')),
    { code: 'QMP_REFUSED' },
  );
  t.regex(error?.message ?? '', /cont.*no such thing/);
});

test('a human command that says anything was refused', async (t) => {
  const path = await speaker(t, (_, id) => `{"return": "could not set up host forwarding\\r\\n", "id": ${id}}\n`);
  await t.throwsAsync(
    withQmp(path, (qmp) => humanCommand(qmp, 'hostfwd_add')),
    { code: 'QMP_REFUSED' },
  );
});

test('a QEMU that ends, is not there, or speaks nonsense is unreachable, and that can be tried again', async (t) => {
  const ends = await speaker(t, () => 'bye\n');
  const nonsense = await speaker(t, () => '', 'SSH-2.0\n');
  for (const attempt of [
    withQmp(ends, (qmp) => qmp.execute('cont')),
    QmpClient.connect(nonsense),
    QmpClient.connect('/nowhere/qmp'),
  ])
    await t.throwsAsync(attempt, { code: 'QMP_UNREACHABLE', message: /can't be talked to/ });
});

test('a QEMU that hangs is given up after a few seconds, before its greeting and after', async (t) => {
  const mute = await speaker(t, () => '', '');
  const hung = await speaker(t, () => '');
  const attempts = [QmpClient.connect(mute), withQmp(hung, (qmp) => qmp.execute('cont'))];
  for (const attempt of attempts) {
    const error = await t.throwsAsync(attempt, { code: 'QMP_UNREACHABLE', message: /no sign of .* within \d+ ms/ });
    t.true(isSilent(error));
  }
  t.false(isSilent(await t.throwsAsync(QmpClient.connect('/nowhere/qmp'))));
});
