import type { ExecutionContext } from 'ava';
import { createDocumentStore } from '../../proxy-daemon/document/document-store.ts';
import type { JsonObject } from '../../proxy-daemon/document/json.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import { startDemoService } from './demo-service.ts';
import { sampleEnvironment, sampleVersion } from './environment.ts';
import { eventually } from './eventually.ts';
import { type TestGateway, testGateway } from './gateway.ts';
import { tempDir } from './temp-dir.ts';

/** The example's services, as they are declared in specs/examples/hosting.yaml. */
const examples = [
  { name: 'domains', document: '/swagger.json', versions: [{ version: '1.0.0', directory: 'domains' }] },
  { name: 'dns', document: '/openapi.json', versions: [{ version: '1.2.0', directory: 'dns' }] },
  {
    name: 'certificates',
    document: '/openapi.json',
    versions: [
      { version: '1.0.0', directory: 'certificates-1.0.0', weight: 90 },
      { version: '1.1.0', directory: 'certificates-1.1.0', weight: 10 },
    ],
  },
];

export interface ExampleGateway {
  gateway: TestGateway;
  /** The merged document as the gateway serves it, once all services are in it. */
  document: JsonObject;
  /** Where each version's only instance answers, by `service@version`. */
  instances: Map<string, string>;
}

/**
 * Real nginx and the real document store before the example's real services, and before `others`: more instances by service
 * name, each with its document at /openapi.json. Documents are read again every `refreshMs`; 60 s.
 */
export async function startExampleGateway(
  t: ExecutionContext,
  others: Record<string, { address: string; port: number }> = {},
  refreshMs?: number,
): Promise<ExampleGateway> {
  const gateway = await testGateway(t);
  const documents = createDocumentStore({ clock: systemClock, stateDir: await tempDir(t), refreshMs });
  t.teardown(() => documents.close());
  const instances = new Map<string, string>();
  const template = sampleEnvironment().services[0] as Service;
  const declared = (name: string, document: string, versions: Partial<Version>[]): Service => ({
    ...template,
    name,
    route: `/${name}`,
    document,
    versions: versions.map((version) => sampleVersion({ ...version, count: 1 })),
  });
  const register = async (service: string, version: string, document: string, url: string) => {
    instances.set(`${service}@${version}`, url);
    const { hostname: address, port } = new URL(url);
    const machine = `m-${service}-${version}`;
    const record = {
      schema: 1,
      service,
      version,
      machine,
      address,
      port: Number(port),
      state: 'up',
      document,
      at: 0,
    } as const;
    await gateway.register({ path: `/services/${service}/${version}/${machine}`, record, mzxid: 0 });
  };
  const services = [
    ...examples.map(({ name, document, versions }) =>
      declared(
        name,
        document,
        versions.map(({ directory, ...version }) => version),
      ),
    ),
    ...Object.keys(others).map((name) => declared(name, '/openapi.json', [{ version: '1.0.0' }])),
  ];
  await gateway.declare(
    { ...sampleEnvironment(), gateway: { title: 'Hosting APIs', description: 'An example' }, services },
    1,
  );
  for (const { name, document, versions } of examples) {
    for (const { version, directory } of versions) {
      const { url } = await startDemoService(t, directory, { MCP_VERSION: version });
      await register(name, version, document, url);
    }
  }
  for (const [name, { address, port }] of Object.entries(others)) {
    await register(name, '1.0.0', '/openapi.json', `http://${address}:${port}`);
  }
  gateway.start({ documents });
  const document = await eventually(
    'all example services are in the document',
    async () => {
      const { status, body } = await gateway.ask('/openapi.json').catch(() => ({ status: 0, body: '' }));
      const read = status === 200 ? (JSON.parse(body) as JsonObject) : {};
      return Array.isArray(read['x-mcp-source']) && read['x-mcp-source'].length === instances.size ? read : null;
    },
    30_000,
  );
  return { gateway, document, instances };
}
