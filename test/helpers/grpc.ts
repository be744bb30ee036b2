/** gRPC as it is on the wire: HTTP/2, messages with their lengths before them, the outcome in trailers. */
import { type ClientHttp2Session, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

interface Cleanup {
  teardown(fn: () => void): void;
}

/** One message of a body: not compressed, its length, itself. */
export function grpcMessage(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function messagesOf(body: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    found.push(body.subarray(at + 5, end).toString());
    at = end;
  }
  return found;
}

/** An instance; gives its port. `answer` writes messages; the stream's end sends the trailers, status 0. */
export async function startGrpcBackend(
  t: Cleanup,
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<number> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

export const grpcAnswer = { ':status': 200, 'content-type': 'application/grpc' };

/** One call of a client. `onMessage` hears of each message as it comes. */
export function callGrpc(
  client: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
  onMessage: (text: string) => void = () => {},
): Promise<{ status: number; messages: string[]; grpcStatus: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = client.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...headers,
    });
    const answer = { status: 0, messages: [] as string[], grpcStatus: undefined as unknown };
    let body = Buffer.alloc(0);
    asked.on('response', (found) => {
      answer.status = Number(found[':status']);
      answer.grpcStatus = found['grpc-status'];
    });
    asked.on('data', (part: Buffer) => {
      body = Buffer.concat([body, part]);
      const now = messagesOf(body);
      for (const text of now.slice(answer.messages.length)) onMessage(text);
      answer.messages = now;
    });
    asked.on('trailers', (found) => {
      answer.grpcStatus = found['grpc-status'];
    });
    asked.on('error', reject);
    asked.on('close', () => resolve(answer));
    asked.end(grpcMessage('request'));
  });
}
