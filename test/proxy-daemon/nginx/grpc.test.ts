/** gRPC services in dynamic mode: by HTTP/2 over TLS, which clients agree on by ALPN, and by HTTP/2 in the clear on a port of its own. */
import { connect } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import test from 'ava';
import { freePort } from '../../helpers/free-port.ts';
import { callGrpc, grpcAnswer, grpcMessage, startGrpcBackend } from '../../helpers/grpc.ts';
import { sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';
import { secureGateway } from '../../helpers/secure-gateway.ts';

test('gRPC over TLS and in the clear: messages as they come, trailers, and a failure that is only trailers', async (t) => {
  const http2 = { address: '127.0.0.1', port: await freePort() };
  const zones = sampleService('zones', [sampleVersion('1', 1)], { proxy: { protocol: 'grpc' } });
  const { gateway, url, ca } = await secureGateway(t, 'dynamic', {}, [zones], { http2 });
  let go = () => {};
  const port = await startGrpcBackend(t, (stream, headers) => {
    if (headers[':path'] === '/hosting.Zones/Missing') {
      stream.respond({ ...grpcAnswer, 'grpc-status': '5' }, { endStream: true });
      return;
    }
    stream.respond(grpcAnswer, { waitForTrailers: true });
    stream.write(grpcMessage(`${headers[':path']} ${headers['x-forwarded-for']}`));
    go = () => stream.end(grpcMessage('second'));
  });
  await gateway.register(sampleRegistration('zones', '1', 1, { address: '127.0.0.1', port }));
  await gateway.settled();

  for (const origin of [url, `http://127.0.0.1:${http2.port}`]) {
    const client = connect(origin, { ca });
    t.teardown(() => client.destroy());
    const seen: string[] = [];
    // The second message is sent only once the first has arrived: so nothing is gathered on the way.
    const call = await callGrpc(client, '/zones/hosting.Zones/Watch', {}, (text) => seen.push(text) === 1 && go());
    t.deepEqual(call, { status: 200, messages: seen, grpcStatus: '0' }, origin);
    t.deepEqual(seen, ['/hosting.Zones/Watch 127.0.0.1', 'second'], origin);
    t.deepEqual(
      await callGrpc(client, '/zones/hosting.Zones/Missing'),
      { status: 200, messages: [], grpcStatus: '5' },
      origin,
    );
    if (origin === url) t.is((client.socket as TLSSocket).alpnProtocol, 'h2');
  }
});
