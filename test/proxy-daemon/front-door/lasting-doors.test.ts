import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:http2';
import { request } from 'node:https';
import type { Socket } from 'node:net';
import test from 'ava';
import type { OperationDoorSpec } from '../../../specs/front-door.ts';
import { callGrpc, grpcAnswer, grpcMessage, startGrpcBackend } from '../../helpers/grpc.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';
import { secureGateway } from '../../helpers/secure-gateway.ts';

const key = randomBytes(32).toString('base64url');
const sha256 = createHash('sha256').update(key).digest('hex');
const access = { apiKeys: { header: 'X-API-Key', clients: [{ name: 'shop', sha256 }] } };

const operations: OperationDoorSpec[] = [
  { method: 'POST', path: '/grpc.health.v1.Health/**', open: true },
  { method: 'POST', path: '/hosting.Zones/Create', limits: { rate: { requests: 1, per: 'm', burst: 0 } } },
];

test('doors of gRPC services, of event streams and of WebSockets: refused without a key, with it as without a door', async (t) => {
  const { gateway, url, ca } = await secureGateway(t, 'dynamic', {}, [
    sampleService('zones', [sampleVersion('1', 1)], { access, operations, proxy: { protocol: 'grpc' } }),
    sampleService('events', [sampleVersion('1', 1)], { access }),
  ]);
  const port = await startGrpcBackend(t, (stream, headers) => {
    stream.respond(grpcAnswer, { waitForTrailers: true });
    stream.end(grpcMessage([headers[':path'], headers['x-mcp-client'], headers['x-api-key']].join(' ')));
  });
  const streaming = await startBackend(t, 'sse', {
    answer: (incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${incoming.headers['x-mcp-client']}\n\n`);
    },
  });
  await gateway.register(sampleRegistration('zones', '1', 1, { address: '127.0.0.1', port }));
  await gateway.register(sampleRegistration('events', '1', 1, { address: '127.0.0.1', port: streaming.port }));
  await gateway.settled();

  const client = connect(url, { ca });
  t.teardown(() => client.destroy());
  const call = (headers: Record<string, string>) => callGrpc(client, '/zones/hosting.Zones/Get', headers);
  t.is((await call({})).status, 401);
  t.deepEqual(await call({ 'x-api-key': key }), {
    status: 200,
    messages: ['/hosting.Zones/Get shop '],
    grpcStatus: '0',
  });

  t.deepEqual((await callGrpc(client, '/zones/grpc.health.v1.Health/Check')).messages, [
    '/grpc.health.v1.Health/Check  ',
  ]);
  t.is((await callGrpc(client, '/zones/grpc.health.v1.Healthy/Check')).status, 401);
  const create = () => callGrpc(client, '/zones/hosting.Zones/Create', { 'x-api-key': key });
  t.deepEqual(
    [(await create()).status, (await create()).status, (await call({ 'x-api-key': key })).status],
    [200, 429, 200],
  );

  const first = (headers: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const asked = request(
        `${url}/events/x`,
        { ca, headers: { accept: 'text/event-stream', ...headers }, agent: false },
        (answer) =>
          answer.setEncoding('utf8').once('data', (text: string) => {
            resolve(`${answer.statusCode} ${text}`);
            asked.destroy();
          }),
      );
      asked.on('error', reject);
      asked.end();
    });
  t.regex(await first({}), /^401 .*CREDENTIALS_NEEDED/);
  t.is(await first({ 'x-api-key': key }), '200 data: shop\n\n');

  streaming.server.on('upgrade', ({ headers }, socket: Socket) => {
    t.teardown(() => socket.destroy());
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    socket.on('data', (data) => socket.write(`${headers['x-mcp-client']} ${data}`));
  });
  const upgrade = (headers: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const asking = { upgrade: 'websocket', connection: 'upgrade', ...headers };
      const asked = request(`${url}/events/ws`, { ca, headers: asking, agent: false });
      asked.on('response', ({ statusCode }) => resolve(String(statusCode)));
      asked.on('upgrade', (_, socket) => {
        socket.once('data', (data) => {
          resolve(String(data));
          socket.destroy();
        });
        socket.write('hello');
      });
      asked.on('error', reject);
      asked.end();
    });
  t.is(await upgrade({}), '401');
  t.is(await upgrade({ 'x-api-key': key }), 'shop hello');
});
