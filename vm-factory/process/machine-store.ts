/**
 * What is on disk of each machine. `<dir>/machines/<uuid>/` appears whole, by a rename, with its machine.json, and goes by a
 * rename; in between each step adds one file, in this order:
 *
 * - machine.json      who it is; written before anything else
 * - address           written once (a symbolic link: word and existence are one step)
 * - agent-config.json what its agent gets
 * - identity          `pid:startTime`, written once, by the machine's own process before it does anything else; or
 *                     `nobody`, by whoever destroys a machine that has not started, so that it never will
 * - console.log, work/ its output and its agent's folder
 */
import { mkdirSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../registrar/process-identity.ts';
import type { Flavor } from '../../specs/nouns.ts';
import { older } from './console-file.ts';
import { orRemove, ownName, readIfThere, readWord, tidy, unless, writeOnce, writeWhole } from './files.ts';

/** machine.json */
export interface StoredMachine {
  uuid: string;
  operation: string;
  clusterId: string;
  image: string;
  flavor?: Flavor;
  /** Service template to clone it from. */
  template?: string;
  registry: string;
  /** ms since the Unix epoch. */
  createdAt: number;
  /** The process that is making it: while it lives the machine is being built. */
  maker: ProcessIdentity;
}

/** A machine as its files tell it. */
export interface MachineFiles {
  /** Null where machine.json can't be read: somebody spoiled it. */
  stored: StoredMachine | null;
  address: string | null;
  /** Null where it has not started. */
  identity: ProcessIdentity | 'nobody' | null;
}

/** Consoles of destroyed machines that are kept. */
const graves = 20;

export class MachineStore {
  readonly machines: string;
  readonly addresses: string;
  readonly staging: string;
  readonly #graveyard: string;

  /** Makes the folders; that one is missing later is a failure, never "there are no machines". */
  constructor(dir: string) {
    this.machines = join(dir, 'machines');
    this.addresses = join(dir, 'addresses');
    this.staging = join(dir, 'staging');
    this.#graveyard = join(dir, 'graveyard');
    for (const folder of [this.machines, this.addresses, this.staging, this.#graveyard]) {
      mkdirSync(folder, { recursive: true });
    }
  }

  folder(uuid: string): string {
    return join(this.machines, uuid);
  }

  async uuids(): Promise<string[]> {
    return (await readdir(this.machines)).sort();
  }

  async exists(uuid: string): Promise<boolean> {
    return (await unless(stat(this.folder(uuid)), null, 'ENOENT')) !== null;
  }

  /** False if there is a machine of this uuid already, which is left as it is. */
  async add(machine: StoredMachine): Promise<boolean> {
    await tidy(this.staging);
    const draft = join(this.staging, ownName());
    const there = await orRemove(draft, async () => {
      await mkdir(draft);
      await writeFile(join(draft, 'machine.json'), JSON.stringify(machine));
      return unless(rename(draft, this.folder(machine.uuid)), 'there' as const, 'ENOTEMPTY', 'EEXIST');
    });
    if (there !== 'there') return true;
    await rm(draft, { recursive: true });
    return false;
  }

  /** Null where there is no such machine. */
  async read(uuid: string): Promise<MachineFiles | null> {
    const text = await readIfThere(join(this.folder(uuid), 'machine.json'));
    const address = await readWord(join(this.folder(uuid), 'address'));
    const identity = await readWord(join(this.folder(uuid), 'identity'));
    // Read before it went, or never whole: only the folder's absence says that there is none.
    if (text === null && !(await this.exists(uuid))) return null;
    return { stored: parseMachine(text, uuid), address, identity: parseIdentity(identity) };
  }

  async update(machine: StoredMachine): Promise<void> {
    await writeWhole(join(this.folder(machine.uuid), 'machine.json'), JSON.stringify(machine));
  }

  /** The first address given is kept; returns that. */
  fixAddress(uuid: string, address: string): Promise<string> {
    return writeOnce(join(this.folder(uuid), 'address'), address);
  }

  /** Keeps a machine that has not started from ever starting; else returns who it is. One that is gone is nobody. */
  async forbidStart(uuid: string): Promise<ProcessIdentity | 'nobody'> {
    const word = await unless(writeOnce(this.identityPath(uuid), 'nobody'), null, 'ENOENT');
    return parseIdentity(word) ?? 'nobody';
  }

  /** Says which process the machine is, where that was started before it; the first word is kept, and returned. */
  async fixIdentity(uuid: string, { pid, startTime }: ProcessIdentity): Promise<ProcessIdentity | 'nobody'> {
    return parseIdentity(await writeOnce(this.identityPath(uuid), `${pid}:${startTime}`)) ?? 'nobody';
  }

  identityPath(uuid: string): string {
    return join(this.folder(uuid), 'identity');
  }

  async writeAgentConfig(uuid: string, config: object): Promise<string> {
    const path = join(this.folder(uuid), 'agent-config.json');
    // Not recursive: it would bring back the folder of a machine that was destroyed meanwhile.
    await unless(mkdir(this.workFolder(uuid)), undefined, 'EEXIST');
    // With its secrets.
    await writeWhole(path, `${JSON.stringify(config, null, 2)}\n`, 0o600);
    return path;
  }

  workFolder(uuid: string): string {
    return join(this.folder(uuid), 'work');
  }

  /** The machine is gone when this resolves. Gives where its remains are, or null if somebody else took them. */
  async takeAway(uuid: string): Promise<string | null> {
    const remains = join(this.staging, ownName());
    const gone = await unless(rename(this.folder(uuid), remains), 'gone' as const, 'ENOENT');
    return gone === 'gone' ? null : remains;
  }

  /** Removes remains but for the console, which is kept for a while. */
  async bury(remains: string, { uuid, createdAt }: StoredMachine, consoleFile: string): Promise<void> {
    const grave = join(this.#graveyard, `${createdAt}-${uuid}.log`);
    for (const part of [older, (path: string) => path])
      await unless(rename(part(join(remains, consoleFile)), part(grave)), undefined, 'ENOENT');
    await this.#pruneGraves();
    await rm(remains, { recursive: true, force: true, maxRetries: 3 });
  }

  async #pruneGraves(): Promise<void> {
    const oldest = (await this.#graves()).slice(0, -graves);
    const paths = oldest.flatMap((name) => [join(this.#graveyard, name), older(join(this.#graveyard, name))]);
    await Promise.all(paths.map((path) => rm(path, { force: true })));
  }

  /** Names of kept consoles, oldest machine first. */
  async #graves(): Promise<string[]> {
    return (await readdir(this.#graveyard)).filter((name) => name.endsWith('.log')).sort();
  }

  /** Destroyed machines whose console is kept, by uuid, oldest first. */
  async buried(): Promise<Map<string, string>> {
    const graves = await this.#graves();
    return new Map(
      graves.map((name) => [name.slice(name.indexOf('-') + 1, -'.log'.length), join(this.#graveyard, name)]),
    );
  }
}

function parseMachine(text: string | null, uuid: string): StoredMachine | null {
  try {
    const machine = JSON.parse(text ?? 'null') as StoredMachine | null;
    return machine?.uuid === uuid ? machine : null;
  } catch {
    return null;
  }
}

/** As a process introduces itself (launch.ts). */
export function parseIdentity(word: string | null): ProcessIdentity | 'nobody' | null {
  if (word === null) return null;
  const [pid, startTime] = word.split(':').map(Number);
  return pid && startTime ? { pid, startTime } : 'nobody';
}
