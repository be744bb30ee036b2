/**
 * Who may do what in the registry (decision 0045). One credential is the environment's: its holder owns everything. All others
 * are derived from it, so that controller and provider know them without telling each other, and no holder of one can find
 * another. ZooKeeper passes no rights on to children: every node gets its own when it is made.
 */
import { createHmac } from 'node:crypto';
import { paths } from './layout.ts';
import type { Acl, Permission } from './registry-client.ts';
import { creatorAcl, digestAcl, digestId } from './zookeeper/acl.ts';

export type Credentials = { scheme: string; auth: string }[];

/** What a machine is given. Plain JSON, for it alone. */
export interface MachineAccess {
  /** Its own credential, and one that all machines have, to read what is meant for all of them. */
  auth: Credentials;
  /** The environment's digest id: whatever the machine makes is its owner's too. */
  owner: string;
}

export class RegistryAccess {
  readonly #credential: string;
  readonly #common: string;

  /** @param credential the environment's, `user:password` */
  constructor(credential: string) {
    this.#credential = credential;
    this.#common = this.#derived('machines', 'machines');
  }

  /** For one machine; void as soon as its nodes are gone. */
  machine(uuid: string): MachineAccess {
    const auth = [this.#machine(uuid), this.#common].map((one) => ({ scheme: 'digest', auth: one }));
    return { auth, owner: digestId(this.#credential) };
  }

  /** What a machine gets with its assignment to the service: reads its configuration, may register in its versions. */
  serviceKey(service: string): string {
    return this.#derived('service', `service-${service}`);
  }

  /** Rights on a node that the environment makes, by its path. */
  readonly aclOf = (path: string): Acl[] => {
    const [kind = '', name, part] = path.split('/').slice(1);
    const forMachine = (...permissions: Permission[]) => digestAcl(this.#machine(name ?? ''), permissions);
    const forAll = digestAcl(this.#common, ['read']);
    const forService = (permission: Permission) => digestAcl(this.serviceKey(name ?? ''), [permission]);
    const others: Record<string, Acl[]> = {
      [paths.cluster]: [forAll],
      [paths.machines]: name === undefined ? [forAll] : [forMachine(...(part === undefined ? own : read))],
      [paths.gateways]: [forAll],
      [paths.configs]: name === undefined ? [] : [forService('read')],
      // Create, not delete: who registers can take away nobody.
      [paths.services]: part === undefined ? [] : [forService('create')],
    };
    const known = others[`/${kind}`];
    if (known) return [...creatorAcl, ...known];
    // What is kept for one machine, whatever it is, that machine may read.
    return name !== undefined && machineId.test(name) && part === undefined
      ? [...creatorAcl, forMachine('read')]
      : [...creatorAcl];
  };

  #machine(uuid: string): string {
    return this.#derived('machine', `machine-${uuid}`);
  }

  #derived(kind: string, name: string): string {
    return `${name}:${createHmac('sha256', this.#credential).update(`${kind}:${name}`).digest('base64url')}`;
  }
}

const read: Permission[] = ['read'];
/** Of its own ledger entry a machine makes and replaces what is below. */
const own: Permission[] = ['read', 'create', 'delete'];
const machineId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Undefined where there is no credential: then everybody may do everything. */
export function registryAccess(auth: Credentials): RegistryAccess | undefined {
  const [first] = auth.filter(({ scheme }) => scheme === 'digest');
  return first && new RegistryAccess(first.auth);
}

/** Rights on what a machine makes: its own, its owner's, and its fellows' in the service to look at it. */
export function machineAcl({ auth, owner }: MachineAccess, serviceKey: string | null): Acl[] {
  const [own] = auth;
  return [
    { scheme: 'digest', id: owner, permissions: ['read', 'write', 'create', 'delete', 'admin'] },
    ...(own ? [digestAcl(own.auth)] : []),
    ...(serviceKey === null ? [] : [digestAcl(serviceKey, ['read'])]),
  ];
}
