import { join } from 'node:path';
import test from 'ava';
import { loadEnvironment } from '../../mcp/declare/load-environment.ts';
import type { Environment } from '../../specs/nouns.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { localArtifacts, resolveEnvironment } from '../../specs/resolve-environment.ts';
import { writeEnvironment } from '../../specs/write-environment.ts';
import { examples } from '../helpers/local-environment.ts';
import { tempDir } from '../helpers/temp-dir.ts';

function readBack(text: string): Environment {
  const declared = parseEnvironment(new TextEncoder().encode(text), { file: 'written.yaml' });
  const files = [...localArtifacts(declared)].map(([key, artifact]) => {
    const sha256 = artifact.kind === 'file' ? artifact.sha256 : '';
    return [key, { url: `file://${artifact.path}`, sha256 }] as const;
  });
  return resolveEnvironment(declared, new Map(files));
}

test('what is written declares the same again, digests and all', async (t) => {
  for (const name of ['hosting.yaml', 'hosting-with-mailboxes.yaml']) {
    const environment = await loadEnvironment(join(examples, name), { artifacts: await tempDir(t) });
    t.deepEqual(readBack(writeEnvironment(environment)), environment, name);
  }
});

test('so do values that look like something else, every kind of health, rollout settings and sizes', async (t) => {
  const text = `
environment: odd
pool: { size: { min: 0, max: 4, window: 90s }, max-age: 2h, verify: { memory: 64MiB, cpu: 250ms, artifact-stores: 1 }, image: small, flavor: { memory: 256MiB, cpus: 2, disk: 1GiB } }
gateway:
  mode: plain
  registries:
    - { dialect: curator, path: /old/services, grace: 3s, services: { pay: { at: payment-service, route: /pay, version: 2.1.0 } } }
services:
  dns:
    priority: 3
    warm: { ready: 2, signal: SIGHUP }
    proxy: { retries: 2, connect-timeout: 500ms, mark-down: 5s }
    config: { a: '8080', b: 8080, c: 'true', d: true, e: "x: y # z" }
    on-config-change: SIGHUP
    rollout:
      surge: 2
      batch: 50%
      pauses: [{ at: 1, for: promote }, { at: 50%, for: 90s }]
      undo: 0s
      auto-rollback: false
      analysis: { error-tolerance: 2.5% }
    versions:
      1.0.0: { count: 0, command: [node, 8080, yes, "1.10"], port: 1, env: { LEVEL: 1.10, N: null-ish }, health: none }
      "2": { count: 1, command: [x], port: 2, health: { command: [check, 1] }, artifact: { url: "https://example.com/a.tgz", sha256: ${'a'.repeat(64)} } }
  web:
    after: [dns]
    rollout: { analysis: none }
    proxy: { sticky: header X-Tenant, override: X-Try, mirror: { to: 1.10, weight: 3 }, split: [{ operation: 'GET /a/{b}', to: 1.10, weight: 5 }] }
    versions:
      1.0.0: { count: 1, weight: 90, command: [x], port: 3, health: { http: /healthz, interval: 1500ms } }
      1.10: { count: 1, weight: 10, command: [x], port: 3 }
  api:
    proxy: { sticky: cookie, override: true }
    versions:
      1.0.0: { count: 1, command: [x], port: 3 }
`;
  const environment = readBack(text);
  t.deepEqual(readBack(writeEnvironment(environment)), environment);
});
