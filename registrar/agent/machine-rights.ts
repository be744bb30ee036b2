/** A machine's rights in the registry: its own from the start, those of its service with its assignment. */

import { isMcpError } from '../../specs/errors.ts';
import { type MachineAccess, machineAcl } from '../access.ts';
import { paths } from '../layout.ts';
import type { RegistryClient } from '../registry-client.ts';

export class MachineRights {
  readonly #access: MachineAccess;
  readonly #uuid: string;
  #key: string | null = null;
  /** The session that has the service's key. */
  #told: RegistryClient | null = null;

  constructor(uuid: string, access: MachineAccess) {
    this.#uuid = uuid;
    this.#access = access;
  }

  /** On every node that the machine makes. */
  readonly acl = () => machineAcl(this.#access, this.#key);

  /** Takes the rights that come with an assignment; again for the same session and service it does nothing. */
  async enter(client: RegistryClient, key: string | undefined): Promise<void> {
    if (key === undefined || (key === this.#key && client === this.#told)) return;
    await client.addAuth('digest', key);
    this.#key = key;
    // Made before there was a service whose machines look at each other.
    await client.setAcl(paths.agent(this.#uuid), this.acl()).catch((error: unknown) => {
      if (!isMcpError(error, 'REGISTRY_NO_NODE', 'REGISTRY_NO_AUTH')) throw error;
    });
    this.#told = client;
  }
}
