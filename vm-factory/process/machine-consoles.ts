/** The consoles of the machines in a store, living and buried ones. */
import { join } from 'node:path';
import type { ConsolePart } from '../provider.ts';
import { boundConsole, readConsole } from './console-file.ts';
import type { MachineStore } from './machine-store.ts';

export class MachineConsoles {
  readonly #store: MachineStore;
  readonly #file: string;

  /** @param file where a machine's console is, in its folder */
  constructor(store: MachineStore, file: string) {
    this.#store = store;
    this.#file = file;
  }

  /** As the provider port says. */
  async read(uuid: string, after: string | null): Promise<ConsolePart | null> {
    const live = await readConsole(this.#path(uuid), after);
    if (live) return live;
    const grave = (await this.#store.buried()).get(uuid);
    return grave === undefined ? null : readConsole(grave, after);
  }

  /** Machines that are no more and whose console is kept, oldest first. */
  async buried(): Promise<string[]> {
    return [...(await this.#store.buried()).keys()];
  }

  /** Keeps every living machine's console within its size. Rejects where that failed for one, after all had their turn. */
  async bound(): Promise<void> {
    const bounded = (await this.#store.uuids()).map((uuid) => boundConsole(this.#path(uuid)));
    const failed = (await Promise.allSettled(bounded)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #path(uuid: string): string {
    return join(this.#store.folder(uuid), this.#file);
  }
}
