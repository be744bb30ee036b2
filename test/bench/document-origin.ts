/** The services of `npm run bench -- document`, in a process of their own: what they do is not ours. Tells its port to who forked it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { documentOf } from './document-peer.ts';

/** `/<service>/openapi.json?<revision>` */
const server = createServer((request, response) => {
  const [, service = '', revision = '0'] = /^\/([^/]+)\/openapi\.json\?(\d+)$/.exec(request.url ?? '') ?? [];
  response.end(JSON.stringify(documentOf(service, Number(revision))));
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
