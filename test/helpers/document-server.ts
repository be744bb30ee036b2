import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../proxy-daemon/document/json.ts';

/** A service instance that serves a document the way the test wants at the moment. */
export interface DocumentServer {
  address: string;
  port: number;
  /** Requests for any path so far. */
  requests: string[];
  /** Replaces what is answered: a document, or a listener of the test's own. */
  serve(answer: JsonObject | RequestListener): void;
  close(): Promise<void>;
}

export async function startDocumentServer(answer: JsonObject | RequestListener): Promise<DocumentServer> {
  let current = answer;
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (typeof current === 'function') current(request, response);
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(current));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    requests,
    serve: (next) => {
      current = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A small OpenAPI 3.1 document with one GET operation a path, which all fail with an `Error` schema. */
export function smallDocument(paths: string[], more: JsonObject = {}): JsonObject {
  const operation = (path: string): JsonObject => ({
    operationId: `read${path.replace(/\W/g, '')}`,
    parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name: name ?? '',
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    responses: {
      '200': { description: 'Fine', content: { 'application/json': { schema: { type: 'object' } } } },
      default: {
        description: 'Failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  });
  return {
    openapi: '3.1.0',
    info: { title: 'Small', version: '1' },
    paths: Object.fromEntries(paths.map((path) => [path, { get: operation(path) }])),
    components: { schemas: { Error: { type: 'object', properties: { message: { type: 'string' } } } } },
    ...more,
  };
}
