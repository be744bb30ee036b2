/**
 * Which machine has which loopback address, safe between processes that share the folder and through crashes at any step.
 *
 * `<folder>/<address>/<uuid>` is a reservation. A folder with the file in it is renamed to the address: the system lets that
 * happen only where there is no such folder or an empty one, so one wins. Releasing unlinks the file, which names its owner:
 * nobody can release what has gone to another machine meanwhile.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import { refused } from '../provider-errors.ts';
import { orRemove, ownName, unless } from './files.ts';

/** Addresses of a block: no more machines than that can there be on a host. */
export const hosts = 254;

export interface AddressBookOptions {
  /** Holds one folder an address. */
  folder: string;
  /** On the same file system, for folders in the making. */
  staging: string;
  /** First three numbers, e.g. `127.30.7`. */
  block: string;
  /** Whether there is such a machine: a reservation without one is void. */
  exists: (uuid: string) => Promise<boolean>;
}

export class AddressBook {
  readonly #options: AddressBookOptions;

  /** Errors: PROVIDER_BAD_CONFIG (not a block of loopback addresses). */
  constructor(options: AddressBookOptions) {
    const [first, ...rest] = options.block.split('.');
    const valid =
      first === '127' && rest.length === 2 && rest.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
    if (!valid || options.block === '127.0.0') {
      throw new McpError('PROVIDER_BAD_CONFIG', `${options.block} is not a usable block of loopback addresses`, {
        hint: 'Give the first three numbers, from 127.0.1 to 127.255.255.',
      });
    }
    this.#options = options;
  }

  /** An address for this machine, which must exist. Errors: PROVIDER_REFUSED (all are taken). */
  async reserve(uuid: string): Promise<string> {
    const { staging } = this.#options;
    const offer = join(staging, ownName());
    return orRemove(offer, () => this.#offer(uuid, offer));
  }

  async #offer(uuid: string, offer: string): Promise<string> {
    const { folder, block } = this.#options;
    await mkdir(offer);
    await writeFile(join(offer, uuid), '');
    // Spread by uuid: an address that was just freed is not handed out next (fault 37).
    const start = createHash('sha256').update(uuid).digest().readUInt16BE(0);
    for (let step = 0; step < hosts; step += 1) {
      const address = `${block}.${((start + step) % hosts) + 1}`;
      if (!(await this.#take(offer, join(folder, address)))) continue;
      if (await canBind(address)) return address;
      await rename(join(folder, address), offer);
    }
    throw refused(`all ${hosts} addresses of ${block}.0/24 are taken`, {
      hint: 'Give the environment another address block.',
    });
  }

  /** Frees one address that this machine reserved, or all. Idempotent. */
  async release(uuid: string, only?: string): Promise<void> {
    const { folder } = this.#options;
    const taken = only === undefined ? await readdir(folder) : [only];
    await Promise.all(taken.map((address) => unless(unlink(join(folder, address, uuid)), undefined, 'ENOENT')));
  }

  async #take(offer: string, place: string): Promise<boolean> {
    for (const owner of await unless(readdir(place), [], 'ENOENT')) {
      if (!(await this.#options.exists(owner))) await unless(unlink(join(place, owner)), undefined, 'ENOENT');
    }
    const taken = await unless(rename(offer, place), 'taken' as const, 'ENOTEMPTY', 'EEXIST');
    return taken !== 'taken';
  }
}

function canBind(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port: 0, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
