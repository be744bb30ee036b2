/** Tells at once when a machine's main process ends: by its exit where it is our child, by looking where it is adopted. */
import type { ChildProcess } from 'node:child_process';
import { isSameProcess, type ProcessIdentity } from '../../registrar/process-identity.ts';

const lookEveryMs = 100;

export class ExitWatch {
  readonly #onExit: (uuid: string) => void;
  readonly #children = new Map<string, { child: ChildProcess; listener: () => void }>();
  readonly #adopted = new Map<string, ProcessIdentity>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(onExit: (uuid: string) => void) {
    this.#onExit = onExit;
  }

  watchChild(uuid: string, child: ChildProcess): void {
    if (this.#closed) return;
    this.#adopted.delete(uuid);
    const listener = () => {
      this.#children.delete(uuid);
      this.#onExit(uuid);
    };
    this.#children.set(uuid, { child, listener });
    if (child.exitCode !== null || child.signalCode !== null) listener();
    else child.once('exit', listener);
  }

  /** Watches a process that is not our child; again and again is once. */
  adopt(uuid: string, identity: ProcessIdentity): void {
    if (this.#closed || this.#children.has(uuid)) return;
    this.#adopted.set(uuid, identity);
    // Another's process has no event for us; the look is a read of /proc, and there is none while nobody is adopted.
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
  }

  forget(uuid: string): void {
    const known = this.#children.get(uuid);
    known?.child.off('exit', known.listener);
    this.#children.delete(uuid);
    this.#adopted.delete(uuid);
    this.#rest();
  }

  close(): void {
    this.#closed = true;
    for (const uuid of [...this.#children.keys(), ...this.#adopted.keys()]) this.forget(uuid);
  }

  #look(): void {
    for (const [uuid, identity] of [...this.#adopted]) {
      if (isSameProcess(identity)) continue;
      this.#adopted.delete(uuid);
      this.#onExit(uuid);
    }
    this.#rest();
  }

  #rest(): void {
    if (this.#adopted.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
