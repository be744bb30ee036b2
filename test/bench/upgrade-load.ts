/**
 * Versions change again and again under a steady keep-alive load of GET and POST, whose clients never ask twice: what gets no answer,
 * or an error, is lost. Among the changes are undos, timed from the call until the traffic is back.
 */
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { applyEnvironment } from '../../mcp/declare/apply-environment.ts';
import { rollback, upgrade } from '../../mcp/declare/change-version.ts';
import { parseShares, sideBySide } from '../../mcp/declare/side-by-side.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { versionDigest } from '../../specs/digest.ts';
import type { RolloutSettings, Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { type LoadResult, startLoad, type Target } from '../helpers/load.ts';
import { examples } from '../helpers/local-environment.ts';
import { type LocalRig, withLocalRig } from './local-rig.ts';
import type { BenchRow } from './main.ts';
import { median, waitUntil } from './vm-rig.ts';

/** Each has two upgrades, an undo, and two changes of weights. */
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

export function measureChanges(): Promise<BenchRow[]> {
  return withLocalRig(environment, async (rig) => {
    const load = startLoad(rig.env.url, calls, clients);
    const began = performance.now();
    const flips: number[] = [];
    let result: LoadResult;
    try {
      for (let round = 1; round <= rounds; round += 1) flips.push(await changeRound(rig, round, load.soFar));
    } finally {
      result = await load.stop();
    }
    const seconds = (performance.now() - began) / 1000;
    for (const { method, path, what, atMs } of result.failures)
      console.error(`lost after ${Math.round(atMs)} ms: ${method} ${path}: ${what}`);
    return rowsOf(result, flips, seconds);
  });
}

function rowsOf({ requests, failures }: LoadResult, flips: readonly number[], seconds: number): BenchRow[] {
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
      metric: `requests lost of ${requests}, in ${2 * rounds} upgrades, ${2 * rounds} changes of weights and ${rounds} undos`,
      unit: '',
      ours: failures.length,
      target: '0',
      holds: failures.length === 0,
    },
    flip('median', median(flips)),
    flip('slowest', Math.max(...flips)),
  ];
}

/** Gives the ms that its undo took. */
async function changeRound(rig: LocalRig, round: number, load: LoadResult): Promise<number> {
  const [tried, next] = [`${round}.1.0`, `${round}.2.0`];
  await upgradeTo(rig, tried);
  const flipMs = await undo(rig);
  await shareTraffic(rig, [`${await current(rig)}=90`, `${next}=10`], load);
  await shareTraffic(rig, [`${await current(rig)}=50`, `${next}=50`], load);
  await shareTraffic(rig, [`${await current(rig)}=10`, `${next}=90`], load);
  await upgradeTo(rig, next, { undoMs: 0 });
  return flipMs;
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

interface Probe {
  beganAt: number;
  endedAt: number;
  machine: string;
}

/** ms from the call until the end of the first answer after which no newer request met the version that was taken back. */
async function undo(rig: LocalRig): Promise<number> {
  const { service } = await declaredOf(rig);
  const taken = runningVersions(service)[0]?.version;
  const probes: Probe[] = [];
  const over = new AbortController();
  const probing = probe(`${rig.env.url}/dns/zones`, probes, over.signal);
  await waitUntil('the probe is answered', () => probes.length > 50, rig);
  const calledAt = performance.now();
  const registry = await rig.read();
  await rollback(rig.client, registry, 'dns', author());
  const { phase, why } = await rig.rolledOut('dns');
  over.abort();
  await probing;
  if (phase !== 'done') throw new Error(`undo is ${phase}: ${why}`);
  const instances = new Map(registry.registrations.map(({ record }) => [record.machine, record.version]));
  const last = probes.findLastIndex(({ machine }) => instances.get(machine) === taken);
  const back = probes[last + 1];
  if (last < 0 || !back) throw new Error('the probe met only one of the versions');
  return back.endedAt - calledAt;
}

/** Asks one after the other, and notes who answered. */
async function probe(url: string, probes: Probe[], signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (!signal.aborted) {
    const beganAt = performance.now();
    const machine = await new Promise<string>((resolve, reject) => {
      request(url, { agent }, (response) => {
        response.resume().once('end', () => resolve(String(response.headers['x-served-by'])));
      })
        .once('error', reject)
        .end();
    });
    probes.push({ beganAt, endedAt: performance.now(), machine });
  }
  agent.destroy();
}
