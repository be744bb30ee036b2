import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface HttpBackend {
  port: number;
  server: Server;
  /** Ends it at once, with every connection; resolves when its port is free. */
  kill(): Promise<void>;
}

/** An HTTP server on `address`; `answer` by default tells its name, what it was asked and with which headers, as JSON. */
export async function startBackend(
  t: { teardown(fn: () => Promise<void>): void },
  name: string,
  options: {
    address?: string;
    port?: number;
    answer?: (request: IncomingMessage, response: ServerResponse) => void;
  } = {},
): Promise<HttpBackend> {
  const tell = (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, method: request.method, url: request.url, headers: request.headers }));
    });
  };
  const server = createServer(options.answer ?? tell);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.address ?? '127.0.0.1', resolve);
  });
  const kill = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.teardown(kill);
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, server, kill };
}
