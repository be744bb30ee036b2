/**
 * An undo as a caller sees it: from the call until no newer request meets the version that was taken back; and who was at work in
 * between, by what the registry's nodes, the gateway's log and a probe tell.
 */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { rollback } from '../../mcp/declare/change-version.ts';
import { daemonLog } from '../../mcp/local/daemons.ts';
import { statePaths } from '../../mcp/local/state.ts';
import type { PublicationReport } from '../../proxy-daemon/status-report.ts';
import { paths } from '../../registrar/layout.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { intercept } from '../helpers/intercept.ts';
import type { LocalRig } from './local-rig.ts';
import type { PartsTable } from './main.ts';
import { waitUntil } from './vm-rig.ts';

/** All in ms since the call. */
export interface Undo {
  /** The registry is read, and the write goes out. */
  read: number;
  /** ZooKeeper tells a watch of the write. */
  told: number;
  /** The write's own answer is here. */
  written: number;
  /** The gateway has read what was written, */
  heard: number;
  /** and nginx has it. */
  served: number;
  /** The end of the last answer of the version that was taken back, */
  last: number;
  /** and that of the first one after it: the traffic is back. */
  back: number;
  /** The leader's first write on it. */
  leader: number | null;
}

interface Probe {
  beganAt: number;
  endedAt: number;
  machine: string;
}

/** Takes `taken` of dns back, under a probe that asks without a pause. */
export async function measureUndo(rig: LocalRig, taken: string): Promise<Undo> {
  const probes: Probe[] = [];
  const over = new AbortController();
  const probing = probe(`${rig.env.url}/dns/zones`, probes, over.signal);
  await waitUntil('the probe is answered', () => probes.length > 50, rig);
  const told: number[] = [];
  const watch = await rig.client.addWatch(paths.rollout('dns'), 'persistent', () => told.push(performance.now()));
  const registry = await rig.read();
  let read = Number.NaN;
  const client = intercept(rig.client, {
    multi: (...request) => {
      read = performance.now();
      return rig.client.multi(...request);
    },
  });
  const calledAt = performance.now();
  const author = { author: 'operator:bench', reason: '', at: systemClock.now() };
  await rollback(client, 'dns', author);
  const written = performance.now();
  const { phase, why } = await rig.rolledOut('dns');
  over.abort();
  await Promise.all([probing, watch.close()]);
  if (phase !== 'done') throw new Error(`undo is ${phase}: ${why}`);
  const instances = new Map(registry.registrations.map(({ record }) => [record.machine, record.version]));
  const last = probes.findLastIndex(({ machine }) => instances.get(machine) === taken);
  const [before, back] = [probes[last], probes[last + 1]];
  if (!before || !back) throw new Error('the probe met only one of the versions');
  // Whoever hears of a write may have read it before its writer has the answer.
  const { heard, served } = await followed(rig, Math.min(written, told[0] ?? written), back.endedAt);
  const since = (at: number) => at - calledAt;
  return {
    read: since(read),
    told: since(told[0] ?? Number.NaN),
    written: since(written),
    heard: since(heard),
    served: since(served),
    last: since(before.endedAt),
    back: since(back.endedAt),
    leader: told[1] === undefined ? null : since(told[1]),
  };
}

/** The publication that brought the flip: the last one before the traffic was back. In this process's time. */
async function followed(rig: LocalRig, from: number, until: number): Promise<{ heard: number; served: number }> {
  const log = await readFile(daemonLog(statePaths(rig.env.dir), 'gateway-1'), 'utf8');
  const found = log
    .split('\n')
    .filter((line) => line.includes('"switchMs"'))
    .map((line) => JSON.parse(line) as PublicationReport)
    .map(({ at, ownMs, testMs, switchMs }) => {
      const served = at - performance.timeOrigin;
      return { served, heard: served - ownMs - testMs - switchMs };
    })
    .filter(({ served }) => served >= from - 2 && served <= until + 1);
  return found[0] ?? { heard: Number.NaN, served: Number.NaN };
}

export function undoParts(undos: readonly Undo[]): PartsTable {
  const sorted = [...undos].sort((a, b) => a.back - b.back);
  const rows: [string, (undo: Undo) => number | null][] = [
    ['the registry is read', ({ read }) => read],
    ['a watch hears of the write', ({ told }) => told],
    ['the write is answered', ({ written }) => written],
    ['the gateway has read it', ({ heard }) => heard],
    ['nginx has it', ({ served }) => served],
    ['last answer of the version taken back', ({ last }) => last],
    ['first answer after it', ({ back }) => back],
    ["the leader's first write on it", ({ leader }) => leader],
  ];
  const orNull = (value: number | null) => (value === null || Number.isNaN(value) ? null : Math.round(value * 10) / 10);
  return {
    title: 'undos, quickest first: since the call',
    unit: 'ms',
    columns: sorted.map((_, at) => (at === sorted.length - 1 ? 'slowest' : String(at + 1))),
    rows: rows.map(([part, of]) => ({ part, values: sorted.map((undo) => orNull(of(undo))) })),
  };
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
