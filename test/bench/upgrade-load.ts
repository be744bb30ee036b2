/**
 * Versions change again and again under a steady keep-alive load of GET and POST, whose clients never ask twice: what gets no answer,
 * or an error, is lost. Among the changes are undos, timed from the call until the traffic is back.
 */
import { join } from 'node:path';
import { applyEnvironment } from '../../mcp/declare/apply-environment.ts';
import { upgrade } from '../../mcp/declare/change-version.ts';
import { parseShares, sideBySide } from '../../mcp/declare/side-by-side.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { versionDigest } from '../../specs/digest.ts';
import type { RolloutSettings, Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { type LoadResult, startLoad, type Target } from '../helpers/load.ts';
import { examples } from '../helpers/local-environment.ts';
import { type LocalRig, withLocalRig } from './local-rig.ts';
import type { BenchRow } from './main.ts';
import type { Measured } from './upgrade-many.ts';
import { measureUndo, type Undo, undoParts } from './upgrade-undo.ts';
import { median, waitUntil } from './vm-rig.ts';

/** Each has an upgrade and its undo, and then three changes of weights and the upgrade that ends them. */
const rounds = 10;
const flipTargetMs = 100;
const clients = { clients: 8, pauseMs: 10 };
const calls: Target[] = [
  { method: 'GET', path: '/dns/zones' },
  { method: 'POST', path: '/dns/zones', body: '{"name":"example.net"}' },
];

const environment = `environment: changes
pool: { size: 4 }
services:
  dns:
    document: /openapi.json
    command: [node, server.js]
    port: 8080
    health: { http: /healthz, interval: 500ms }
    rollout: { surge: 100%, batch: 100%, canary: 0, min-healthy: 300ms, bake: 300ms, undo: 60s }
    versions:
      1.0.0: { count: 2, artifact: { directory: ${JSON.stringify(join(examples, 'services/dns'))} } }
`;

/** Undos, each after an upgrade; and unless there are to be only these, changes of weights among them. */
export function measureChanges(onlyUndos: boolean): Promise<Measured> {
  return withLocalRig(environment, async (rig) => {
    const load = startLoad(rig.env.url, calls, clients);
    const began = performance.now();
    const undos: Undo[] = [];
    let result: LoadResult;
    try {
      for (let round = 1; round <= rounds; round += 1) {
        undos.push(await undoRound(rig, `${round}.1.0`));
        if (!onlyUndos) await shareRound(rig, `${round}.2.0`, load.soFar);
      }
    } finally {
      result = await load.stop();
    }
    const seconds = (performance.now() - began) / 1000;
    for (const { method, path, what, atMs } of result.failures)
      console.error(`lost after ${Math.round(atMs)} ms: ${method} ${path}: ${what}`);
    const many = onlyUndos ? `${rounds} upgrades` : `${2 * rounds} upgrades, ${3 * rounds} changes of weights`;
    return { rows: rowsOf(result, undos, seconds, many), parts: [undoParts(undos)] };
  });
}

function rowsOf(
  { requests, failures }: LoadResult,
  undos: readonly Undo[],
  seconds: number,
  changes: string,
): BenchRow[] {
  const flips = undos.map(({ back }) => back);
  const none = { peer: null, peerName: '', ratio: null, target: '', holds: null };
  const flip = (what: string, ours: number): BenchRow => ({
    ...none,
    metric: `undo while the old machines live, until the traffic is back, ${what} of ${flips.length}`,
    unit: 'ms',
    ours,
    target: `<= ${flipTargetMs} ms`,
    holds: ours <= flipTargetMs,
  });
  return [
    { ...none, metric: 'load, GET and POST by turns', unit: 'requests/s', ours: requests / seconds },
    {
      ...none,
      metric: `requests lost of ${requests}, in ${changes} and ${rounds} undos`,
      unit: '',
      ours: failures.length,
      target: '0',
      holds: failures.length === 0,
    },
    flip('median', median(flips)),
    flip('slowest', Math.max(...flips)),
  ];
}

async function undoRound(rig: LocalRig, tried: string): Promise<Undo> {
  await upgradeTo(rig, tried);
  return measureUndo(rig, tried);
}

async function shareRound(rig: LocalRig, next: string, load: LoadResult): Promise<void> {
  await shareTraffic(rig, [`${await current(rig)}=90`, `${next}=10`], load);
  await shareTraffic(rig, [`${await current(rig)}=50`, `${next}=50`], load);
  await shareTraffic(rig, [`${await current(rig)}=10`, `${next}=90`], load);
  await upgradeTo(rig, next, { undoMs: 0 });
}

async function current(rig: LocalRig): Promise<string> {
  return runningVersions((await declaredOf(rig)).service)[0]?.version ?? '';
}

async function declaredOf(rig: LocalRig) {
  const registry = await rig.read();
  const environment = registry.declared?.record.environment;
  const service = environment?.services[0];
  if (!environment || !service) throw new Error('nothing is declared');
  return { registry, environment, service };
}

/** The same program under another name. */
function called(service: Service, name: string): Version {
  const known = service.versions.find(({ version }) => version === name);
  if (known) return { ...known, weight: undefined };
  const [like] = runningVersions(service);
  if (!like) throw new Error('nothing runs');
  const { digest: _, weight: __, ...rest } = like;
  const version = { ...rest, version: name, count: 1 };
  return { ...version, digest: versionDigest(version, service) };
}

const author = () => ({ author: 'operator:bench', reason: '', at: systemClock.now() });

async function upgradeTo(rig: LocalRig, name: string, settings: Partial<RolloutSettings> = {}): Promise<void> {
  const { registry, service } = await declaredOf(rig);
  await upgrade(rig.client, registry, 'dns', called(service, name), settings, author());
  const { phase, why } = await rig.rolledOut('dns');
  if (phase !== 'done') throw new Error(`${name} is ${phase}: ${why}`);
}

/** Other weights; waits until what is new serves and the load has met them. */
async function shareTraffic(rig: LocalRig, words: string[], load: LoadResult): Promise<void> {
  const { environment, service } = await declaredOf(rig);
  const shares = parseShares(words);
  const fresh = new Map(shares.map(({ version }) => [version, called(service, version)]));
  const services = [sideBySide(service, shares, fresh)];
  await applyEnvironment(rig.client, { ...environment, services }, { ...author(), confirmed: true });
  await rig.env.until('all of them serve', ({ services: seen }) =>
    (seen[0]?.versions ?? []).every(({ live, desired }) => live === desired),
  );
  const enough = load.requests + 200;
  await waitUntil('the load has met the new weights', () => load.requests >= enough, rig);
}
