import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../files.ts';
import type { PartsHeld } from './parts-held.ts';
import type { ServicePart } from './service-part.ts';
import { writeService } from './write-whole.ts';

/** Each service's own documents, a folder a service. Only this process writes below `dir`. Blocks: for a thread. */
export class ServiceFolders {
  readonly #dir: string;
  /** By service the digest of the part that its files are made of; empty where an earlier process made them. */
  readonly #written = new Map<string, string>();
  #hasLooked = false;
  /** The number of the update of the parts that the files are made by. */
  #seen = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Writes what changed, and away with those of services that are gone. Throws what the file system says. */
  write(held: PartsHeld, now: number): void {
    this.#look();
    const { changed, gone } = held.changesSince(this.#seen) ?? { changed: held.all(), gone: this.#goneBy(held.all()) };
    for (const part of changed) {
      if (part.shown === null) this.#remove(part.service);
      else this.#write(part, part.shown.title, now);
    }
    for (const service of gone) this.#remove(service);
    this.#seen = held.number;
  }

  #look(): void {
    if (this.#hasLooked) return;
    makeDirectory(this.#dir);
    for (const name of readdirSync(this.#dir)) this.#written.set(name, '');
    this.#hasLooked = true;
  }

  #goneBy(parts: readonly ServicePart[]): string[] {
    const there = new Set(parts.map(({ service }) => service));
    return [...this.#written.keys()].filter((service) => !there.has(service));
  }

  #write(part: ServicePart, title: string, now: number): void {
    const { service, digest } = part;
    if (this.#written.get(service) === digest) return;
    const folder = join(this.#dir, service);
    makeDirectory(folder);
    writeService(folder, { title, description: '' }, part, now);
    this.#written.set(service, digest);
  }

  #remove(service: string): void {
    if (!this.#written.has(service)) return;
    rmSync(join(this.#dir, service), { recursive: true, force: true });
    this.#written.delete(service);
  }
}
