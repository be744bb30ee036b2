/** TLS to a real server, with certificates on both sides. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import type { Issued } from '../../helpers/certificates.ts';
import { Authority } from '../../helpers/certificates.ts';
import { freePort } from '../../helpers/free-port.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';
import { startZooKeeper } from '../../helpers/zookeeper.ts';

let dir: string;
let ca: string;
let client: Issued;
let stranger: Issued;
let server: TestZooKeeper;
let secure: string;

test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mcp-tls-'));
  const authority = await Authority.create(dir, 'authority');
  const other = await Authority.create(dir, 'other-authority');
  const own = await authority.issue('registry', ['127.0.0.1']);
  client = await authority.issue('controller');
  stranger = await other.issue('stranger');
  ca = await authority.cert();
  const securePort = await freePort();
  secure = `127.0.0.1:${securePort}`;
  server = await startZooKeeper({
    settings: {
      secureClientPort: securePort,
      serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
      'authProvider.x509': 'org.apache.zookeeper.server.auth.X509AuthenticationProvider',
      'ssl.keyStore.location': own.bundlePath,
      'ssl.keyStore.type': 'PEM',
      'ssl.trustStore.location': authority.certPath,
      'ssl.trustStore.type': 'PEM',
      'ssl.clientAuth': 'need',
    },
  });
});
test.after.always(async () => {
  await server?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

test('a client certificate is an identity for ACLs', async (t) => {
  const registry = await connectZooKeeper(secure, { tls: { ca, cert: client.cert, key: client.key } });
  t.teardown(() => registry.close());
  const acl = [{ scheme: 'x509', id: 'CN=controller', permissions: ['read' as const, 'delete' as const] }];
  await registry.create('/secured', 'by certificate', { acl });
  t.is((await registry.get('/secured')).data.toString(), 'by certificate');
  const plain = await connectZooKeeper(server.connectString);
  t.teardown(() => plain.close());
  await t.throwsAsync(plain.get('/secured'), { code: 'REGISTRY_NO_AUTH' });
});

test('large data comes through TLS whole', async (t) => {
  const registry = await connectZooKeeper(secure, { tls: { ca, cert: client.cert, key: client.key } });
  t.teardown(() => registry.close());
  const data = Buffer.from(Array.from({ length: 900_000 }, (_, n) => n % 251));
  await registry.create('/large', data);
  t.true((await registry.get('/large')).data.equals(data));
});

for (const { title, tls, reason } of [
  {
    title: 'a server whose certificate is not from our authority is not trusted',
    tls: () => ({ cert: client.cert, key: client.key }),
    reason: /unable to verify|self-signed|unable to get/i,
  },
  {
    title: 'a server whose certificate names another host is not trusted',
    tls: () => ({ ca, cert: client.cert, key: client.key, servername: 'registry.example' }),
    reason: /altname|does not match/i,
  },
  {
    title: 'a client certificate of another authority is refused',
    tls: () => ({ ca, cert: stranger.cert, key: stranger.key }),
    reason: /alert|ECONNRESET|closed|EPIPE/i,
  },
  { title: 'a client without certificate is refused', tls: () => ({ ca }), reason: /alert|ECONNRESET|closed|EPIPE/i },
]) {
  test(title, async (t) => {
    const error = await t.throwsAsync(connectZooKeeper(secure, { tls: tls(), establishTimeoutMs: 1500 }), {
      code: 'REGISTRY_CONNECTION_LOSS',
    });
    t.regex(error?.message ?? '', reason);
  });
}
