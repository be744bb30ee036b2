import type { Environment, Version } from '../../specs/nouns.ts';

/** A small resolved version; `over` replaces parts. */
export function sampleVersion(over: Partial<Version> = {}): Version {
  return {
    version: '1.2.0',
    count: 2,
    command: ['node', 'server.js'],
    port: 8080,
    env: {},
    health: { kind: 'http', path: '/healthz', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 3 },
    digest: 'd'.repeat(64),
    ...over,
  };
}

/** A small resolved environment: one service, `dns`. */
export function sampleEnvironment(name = 'sample'): Environment {
  return {
    name,
    pool: { size: 2, image: 'process' },
    gateway: { title: 'Sample', description: '' },
    services: [
      {
        name: 'dns',
        route: '/dns',
        document: '/openapi.json',
        config: { ttl: 60 },
        onConfigChange: 'restart',
        drainTimeoutMs: 10_000,
        stopTimeoutMs: 5_000,
        versions: [sampleVersion()],
      },
    ],
  };
}
