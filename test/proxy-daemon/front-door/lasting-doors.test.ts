import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:http2';
import { request } from 'node:https';
import test from 'ava';
import { startBackend } from '../../helpers/http-backend.ts';
import { sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';
import { secureGateway } from '../../helpers/secure-gateway.ts';

const key = randomBytes(32).toString('base64url');
const sha256 = createHash('sha256').update(key).digest('hex');
const access = { apiKeys: { header: 'X-API-Key', clients: [{ name: 'shop', sha256 }] } };

test('doors of gRPC services and of event streams: refused without a key, with it as without a door', async (t) => {
  const { gateway, url, ca } = await secureGateway(t, 'dynamic', {}, [
    sampleService('zones', [sampleVersion('1', 1)], { access, proxy: { protocol: 'grpc' } }),
    sampleService('events', [sampleVersion('1', 1)], { access }),
  ]);
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end([headers[':path'], headers['x-mcp-client'], headers['x-api-key']].join(' '));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
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
  const call = (headers: Record<string, string>) =>
    new Promise<{ status: number; body: string; trailers: Record<string, unknown> }>((resolve, reject) => {
      const asked = client.request({
        ':method': 'POST',
        ':path': '/zones/hosting.Zones/Get',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      const answer = { status: 0, body: '', trailers: {} as Record<string, unknown> };
      asked.on('response', (found) => {
        answer.status = Number(found[':status']);
      });
      asked.setEncoding('utf8').on('data', (text: string) => {
        answer.body += text;
      });
      asked.on('trailers', (found) => {
        answer.trailers = found;
      });
      asked.on('error', reject);
      asked.on('close', () => resolve(answer));
      asked.end('request');
    });
  t.is((await call({})).status, 401);
  const answered = await call({ 'x-api-key': key });
  t.deepEqual([answered.status, answered.body], [200, '/hosting.Zones/Get shop ']);
  t.is(answered.trailers['grpc-status'], '0');

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
});
