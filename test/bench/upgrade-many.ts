/** 100 instances are upgraded with a surge of 25 %: how long it takes, and how much of that nobody but MCP was at work. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { upgrade } from '../../mcp/declare/change-version.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { versionDigest } from '../../specs/digest.ts';
import { type LocalRig, withLocalRig } from './local-rig.ts';
import type { BenchRow, PartsTable } from './main.ts';
import { type StageTime, StoryWatch, stagesOf } from './upgrade-chain.ts';

export interface Measured {
  rows: BenchRow[];
  parts: PartsTable[];
}

const instances = 100;
const minHealthyMs = 2_000;
const bakeMs = 1_000;
const ownTarget = 0.2;

export async function measureMany(): Promise<Measured> {
  const artifact = await mkdtemp(join(tmpdir(), 'mcp-bench-tiny-'));
  try {
    await writeFile(join(artifact, 'index.html'), 'here\n');
    return await withLocalRig(environment(artifact), upgradeAll);
  } finally {
    await rm(artifact, { recursive: true, force: true });
  }
}

/** The smallest service that can be asked for its health: a machine's agent is the far larger part. */
function environment(artifact: string): string {
  return `environment: many
pool: { size: ${instances / 4} }
services:
  tiny:
    command: [sh, -c, "exec busybox httpd -f -p $ADDRESS:$PORT -h ."]
    port: 8080
    health: { http: /, interval: 1s }
    rollout: { surge: 25%, batch: 25%, canary: 0, min-healthy: ${minHealthyMs}ms, bake: ${bakeMs}ms, undo: 0s }
    versions:
      1.0.0: { count: ${instances}, artifact: { directory: ${JSON.stringify(artifact)} } }
`;
}

async function upgradeAll(rig: LocalRig): Promise<Measured> {
  await rig.env.until(
    'all serve',
    ({ services, pool }) => services[0]?.versions[0]?.live === instances && pool.ready >= instances / 4,
    240_000,
  );
  const watch = await StoryWatch.open(rig.client);
  const began = systemClock.now();
  const registry = await rig.read();
  const [declared] = registry.declared?.record.environment.services ?? [];
  const [version] = declared?.versions ?? [];
  if (!declared || !version) throw new Error('nothing is declared');
  const { digest: _, ...next } = { ...version, version: '2.0.0', env: { ...version.env, RELEASE: '2' } };
  const to = { ...next, digest: versionDigest(next, declared) };
  await upgrade(rig.client, registry, 'tiny', to, {}, { author: 'operator:bench', reason: '', at: began });
  const rollout = await rig.rolledOut('tiny');
  const stages = stagesOf(rollout, await watch.close());
  const tookMs = stages.reduce((sum, stage) => sum + stage.tookMs, 0);
  const theirsMs = stages.reduce((sum, { parts }) => sum + Object.values(parts).reduce((all, ms) => all + ms, 0), 0);
  const own = 1 - theirsMs / tookMs;
  const row: BenchRow = {
    metric: `upgrade of ${instances} instances, surge 25 %, in ${stages.length - 1} batches`,
    unit: 's',
    ours: tookMs / 1000,
    peer: theirsMs / 1000,
    peerName: 'of it machines, services and declared waiting',
    ratio: tookMs / theirsMs,
    target: `own share, here ${Math.round(own * 100)} %, < ${ownTarget * 100} %`,
    holds: own < ownTarget,
  };
  return { rows: [row], parts: [partsOf(stages)] };
}

function partsOf(stages: readonly StageTime[]): PartsTable {
  const names = {
    making: 'machines are made',
    starting: 'services start',
    watching: 'watched, as declared',
    leaving: 'old ones leave',
  };
  const rows = (Object.keys(names) as (keyof typeof names)[]).map((part) => ({
    part: names[part],
    values: stages.map(({ parts }) => parts[part]),
  }));
  const own = stages.map(({ tookMs, parts }) => tookMs - Object.values(parts).reduce((sum, ms) => sum + ms, 0));
  return {
    title: 'where the time goes',
    unit: 'ms',
    columns: stages.map(({ what }) => what),
    rows: [
      ...rows,
      { part: 'nobody but MCP', values: own },
      { part: 'together', values: stages.map(({ tookMs }) => tookMs) },
    ],
  };
}
