/** Makers of small worlds for the tests of the gateway. */
import type { LiveRegistration } from '../../proxy-daemon/routes/route-table.ts';
import type { Environment, Service, Version } from '../../specs/nouns.ts';

export function sampleVersion(version: string, count: number, weight?: number): Version {
  return {
    version,
    count,
    weight,
    command: ['true'],
    port: 8080,
    env: {},
    health: { kind: 'none', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 1 },
    digest: `digest-of-${version}`,
  };
}

export function sampleService(name: string, versions: Version[], more: Partial<Service> = {}): Service {
  return {
    name,
    route: `/${name}`,
    config: {},
    onConfigChange: 'none',
    drainTimeoutMs: 10_000,
    stopTimeoutMs: 5000,
    versions,
    ...more,
  };
}

export function sampleEnvironment(services: Service[]): Environment {
  return {
    name: 'sample',
    pool: { size: 1, image: 'process' },
    gateway: { title: 'Sample', description: '' },
    services,
  };
}

/** Registration number `n` of a service version, at 127.1.0.n:8080 unless told otherwise. */
export function sampleRegistration(
  service: string,
  version: string,
  n: number,
  more: Partial<LiveRegistration['record']> = {},
): LiveRegistration {
  const machine = `machine-${String(n).padStart(4, '0')}`;
  return {
    path: `/services/${service}/${version}/${machine}`,
    mzxid: n,
    record: {
      schema: 1,
      service,
      version,
      machine,
      address: `127.1.${n >> 8}.${n & 255}`,
      port: 8080,
      state: 'up',
      at: 0,
      ...more,
    },
  };
}
