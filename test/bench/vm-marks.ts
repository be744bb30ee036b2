/** When a machine got how far on its way from nothing to serving, each mark taken from what the product itself leaves. */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { vmFiles } from '../../vm-factory/qemu/command-line.ts';
import { hostFiles } from '../../vm-factory/qemu/grant.ts';
import type { PartsTable } from './main.ts';

/** In their order; the words say what ends there. */
export const steps = {
  asked: 'the controller sees it and asks for a machine',
  process: 'QEMU is started',
  granted: 'taken, and given an identity',
  running: 'told to run (QMP cont)',
  known: 'boots or resumes, renews time and randomness, takes its identity',
  joined: 'joins: its token for a pass',
  session: 'a session in the registry, its agent is in it',
  ready: 'its self-test, judged by the controller',
  claimed: 'claim and assignment',
  starting: 'the agent fetches the artifact',
  checking: "starts the service's process",
  registered: 'the service is healthy and registered',
  routed: 'routed: the first 200 through the gateway',
} as const;

export type Step = keyof typeof steps;

/** ms since the measurement began. */
export class Marks {
  readonly at = new Map<Step, number>();
  readonly #noted = new Map<string, Map<Step, number>>();
  #began = performance.now();

  /** From here on the time runs. */
  begin(): void {
    this.#began = performance.now();
  }

  /** Marks the moments that files in a virtual machine's folder tell; those from before the measurement are left out. */
  async markFolder(folder: string): Promise<void> {
    const files = { process: 'process', granted: hostFiles.grant, joined: hostFiles.pass } as const;
    for (const [step, name] of Object.entries(files)) {
      const found = await lstat(join(folder, name)).catch(() => null);
      const at = (found?.mtimeMs ?? 0) - (performance.timeOrigin + this.#began);
      if (at > 0) this.at.set(step as Step, at);
    }
  }

  mark(step: Step): number {
    const now = this.#now();
    if (!this.at.has(step)) this.at.set(step, now);
    return now;
  }

  /** Notes what happens to machines in the registry, until the client ends. `settle` says which one is meant. */
  async follow(client: RegistryClient): Promise<void> {
    const read = async (path: string) => JSON.parse((await client.get(path)).data.toString());
    await client.addWatch('/machines', 'persistent-recursive', (notice) => {
      const path = 'path' in notice ? notice.path : '';
      const [, , uuid, name] = path.split('/');
      if (uuid === undefined) return;
      const at = this.#now();
      if (name === undefined) {
        this.#note(uuid, 'asked', at);
        read(path).then(({ state }) => state === 'ready' && this.#note(uuid, 'ready', at), ignore);
      } else if (name === 'assignment') this.#note(uuid, 'claimed', at);
      else if (name === 'agent') {
        this.#note(uuid, 'session', at);
        read(path).then(({ phase }) => isTold(phase) && this.#note(uuid, phase, at), ignore);
      }
    });
    await client.addWatch('/services', 'persistent-recursive', (notice) => {
      const path = 'path' in notice ? notice.path : '';
      const uuid = path.split('/')[4];
      if (uuid !== undefined) this.#note(uuid, 'registered', this.#now());
    });
  }

  /** Machines that were heard of so far. */
  seen(): string[] {
    return [...this.#noted.keys()];
  }

  knows(uuid: string): void {
    this.#note(uuid, 'known', this.#now());
  }

  /** The machine that all this was about: the one that was claimed, and not the one `before`. Its marks are taken over. */
  settle(before: string): string {
    const [uuid = '', marks] = [...this.#noted].find(([id, one]) => id !== before && one.has('claimed')) ?? [];
    const wasThere = marks && !marks.has('process') && !marks.has('known');
    for (const [step, at] of marks ?? []) {
      // Of a machine that was ready before, the registry's other news is no part of the way.
      if (!(wasThere && (step === 'asked' || step === 'session' || step === 'ready'))) this.at.set(step, at);
    }
    return uuid;
  }

  #note(uuid: string, step: Step, at: number): void {
    const marks = this.#noted.get(uuid) ?? new Map<Step, number>();
    this.#noted.set(uuid, marks);
    if (!marks.has(step)) marks.set(step, at);
  }

  #now(): number {
    return performance.now() - this.#began;
  }
}

function isTold(phase: string): phase is 'starting' | 'checking' {
  return phase === 'starting' || phase === 'checking';
}

function ignore(): void {}

/** Whether the machine's agent has said on its console who it is. */
export async function knowsItself(folder: string): Promise<boolean> {
  return (await readFile(join(folder, vmFiles.console), 'utf8').catch(() => '')).includes('mcp: machine ');
}

/** Medians of how long each step took, over the rounds of each way. */
export function partsTable(
  title: string,
  rounds: Readonly<Record<string, readonly Marks[]>>,
  median: (values: readonly number[]) => number,
): PartsTable {
  const tooks = Object.values(rounds).map((marks) => marks.map(durations));
  const rows = Object.entries(steps).flatMap(([step, what]) => {
    const values = tooks.map((all) => {
      const found = all.flatMap((one) => one.get(step as Step) ?? []);
      return found.length > 0 ? median(found) : null;
    });
    return values.some((value) => value !== null) ? [{ part: what, values }] : [];
  });
  return { title, unit: 'ms', columns: Object.keys(rounds), rows };
}

function durations({ at }: Marks): Map<Step, number> {
  const known = [...at].sort(([, a], [, b]) => a - b);
  return new Map(known.map(([step, when], index) => [step, when - (known[index - 1]?.[1] ?? 0)]));
}
