import type { ExecutionContext } from 'ava';
import { createDocumentStore } from '../../proxy-daemon/document/document-store.ts';
import type { JsonObject } from '../../proxy-daemon/document/json.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import type { Service } from '../../specs/nouns.ts';
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

/** Real nginx and the real document store before the example's real services. */
export async function startExampleGateway(t: ExecutionContext): Promise<ExampleGateway> {
  const gateway = await testGateway(t);
  const documents = createDocumentStore({ clock: systemClock, stateDir: await tempDir(t) });
  t.teardown(() => documents.close());
  const instances = new Map<string, string>();
  const template = sampleEnvironment().services[0] as Service;
  const services = examples.map(
    ({ name, document, versions }): Service => ({
      ...template,
      name,
      route: `/${name}`,
      document,
      versions: versions.map(({ directory, ...version }) => sampleVersion({ ...version, count: 1 })),
    }),
  );
  await gateway.declare(
    { ...sampleEnvironment(), gateway: { title: 'Hosting APIs', description: 'An example' }, services },
    1,
  );
  for (const { name, document, versions } of examples) {
    for (const { version, directory } of versions) {
      const { url } = await startDemoService(t, directory, { MCP_VERSION: version });
      instances.set(`${name}@${version}`, url);
      const { hostname, port } = new URL(url);
      const machine = `m-${name}-${version}`;
      const record = {
        schema: 1,
        service: name,
        version,
        machine,
        address: hostname,
        port: Number(port),
        state: 'up',
        document,
        at: 0,
      } as const;
      await gateway.register({ path: `/services/${name}/${version}/${machine}`, record, mzxid: 0 });
    }
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
