/** A gateway with HTTPS, its certificate made for the test. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { TlsSpec } from '../../specs/front-door.ts';
import type { Service } from '../../specs/nouns.ts';
import { Authority, type Issued } from './certificates.ts';
import { freePort } from './free-port.ts';
import { type TestGateway, testGateway } from './gateway.ts';
import { startBackend } from './http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from './sample-world.ts';
import { tempDir } from './temp-dir.ts';

export interface SecureGateway {
  gateway: TestGateway;
  url: string;
  ca: string;
  authority: Authority;
  tls: TlsSpec;
  put(pair: Issued): void;
  declare(tls: Partial<TlsSpec>, generation: number): Promise<void>;
}

/** One backend stands for an instance of each service. `clients`: it asks them for certificates of its own authority. */
export async function secureGateway(
  t: ExecutionContext,
  mode: 'plain' | 'dynamic',
  more: Partial<TlsSpec> & { clients?: true } = {},
  services: Service[] = [sampleService('dns', [sampleVersion('1', 1)])],
  start: Parameters<TestGateway['start']>[0] = {},
): Promise<SecureGateway> {
  const files = await tempDir(t);
  const [gateway, authority, port] = await Promise.all([testGateway(t), Authority.create(files, 'ca'), freePort()]);
  const { clients, ...change } = more;
  const tls: TlsSpec = {
    port,
    certificate: join(files, 'site.pem'),
    key: join(files, 'site.key'),
    redirect: false,
    ...(clients ? { clientCa: authority.certPath } : {}),
    ...change,
  };
  const put = ({ cert, key }: Issued) => {
    writeFileSync(tls.certificate, cert);
    writeFileSync(tls.key, key);
  };
  put(await authority.issue('first', ['127.0.0.1']));
  const plain = sampleEnvironment(services);
  const declare = (now: Partial<TlsSpec>, generation: number) =>
    gateway.declare({ ...plain, gateway: { ...plain.gateway, tls: { ...tls, ...now } } }, generation);
  await declare({}, 1);
  const backend = await startBackend(t, 'one');
  gateway.start({ mode, ...start });
  for (const { name } of services) {
    await gateway.register(sampleRegistration(name, '1', 1, { address: '127.0.0.1', port: backend.port }));
  }
  await gateway.settled();
  return { gateway, url: `https://127.0.0.1:${port}`, ca: await authority.cert(), authority, tls, put, declare };
}
