import { createServer } from 'node:net';
import test from 'ava';
import { freeAddressBlock, freePort, listeningBlocks } from '../../../mcp/local/addresses.ts';

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

test('a block on which something listens is seen as taken', (t) => {
  const listening =
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
  const machine =
    '   1: 05071F7F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
  const connected =
    '   2: 0902287F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
  t.deepEqual([...listeningBlocks([head, listening, machine, connected].join('\n'))], ['127.0.0', '127.31.7']);
});

test('a free block is inside 127/8 and never the block of 127.0.0.1', async (t) => {
  for (const random of [0, 0.5, 0.999999])
    t.regex(await freeAddressBlock(() => random), /^127\.(1[6-9]|[2-9]\d|1\d\d|2[0-3]\d)\.\d{1,3}$/);
});

test('the preferred port is taken where it is free, another one where it is not', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const busy = typeof address === 'object' && address ? address.port : 0;
  const other = await freePort('127.0.0.1', busy);
  t.not(other, busy);
  t.is(await freePort('127.0.0.1', other), other);
});
