/** What of the registry concerns one service: for who is in a hurry, and asks for no more than they need. */
import { isMcpError } from '../../specs/errors.ts';
import { ledgerProblem, parseRegistration } from '../dialects/native.ts';
import { paths } from '../layout.ts';
import { readCluster, required } from '../recipes/format-registry.ts';
import { mapBounded } from '../recipes/map-bounded.ts';
import { withRollouts } from '../recipes/rollout-documents.ts';
import { readDocument, type Versioned } from '../recipes/versioned-document.ts';
import type { DesiredRecord, MachineRecord, RegistrationRecord } from '../records.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import type { RolloutRecord } from '../rollout-records.ts';
import { codecs } from './codecs.ts';

export interface ServicePart {
  /** znode version of /epoch. */
  epoch: number;
  /** /desired as it is. */
  declared: Versioned<DesiredRecord> | null;
  /** The service's last rollout, if there was one. */
  rollouts: Record<string, Versioned<RolloutRecord>>;
  /** Machines that are registered for the service, as the ledger knows them. */
  machines: { record: MachineRecord }[];
  registrations: { record: RegistrationRecord }[];
}

const parallel = 128;

/**
 * Reads what a change of the service's version is decided by, after a `sync`, in three answers' time: a whole registry takes as
 * long as it is large. A session's requests are answered in their order, so what follows the `sync` need not wait for its
 * answer. Errors: those of readRegistry.
 */
export async function readService(
  client: RegistryClient,
  service: string,
  options: CallOptions = {},
): Promise<ServicePart> {
  const [, { stat }, , [declared, rollouts], instances] = await Promise.all([
    client.sync('/', options),
    required(paths.epoch, client.get(paths.epoch, options)),
    readCluster(client, options),
    withRollouts(client, () => readDocument(client, paths.desired, codecs.desired, options), {
      ...options,
      only: service,
    }),
    readInstances(client, service, options),
  ]);
  return {
    epoch: stat.version,
    declared,
    rollouts,
    machines: instances.map(({ machine }) => machine),
    registrations: instances.map(({ registration }) => registration),
  };
}

/** Registrations of the service that are valid and fit the ledger; loopback addresses too: whether those are believed is for those who route. */
async function readInstances(client: RegistryClient, service: string, options: CallOptions) {
  const versions = await childrenOf(client, paths.service(service), options);
  const listed = await Promise.all(
    versions.map(async (version) => {
      const uuids = await childrenOf(client, paths.version(service, version), options);
      return uuids.map((uuid) => ({ uuid, path: paths.registration(service, version, uuid) }));
    }),
  );
  const read = await mapBounded(listed.flat(), parallel, async ({ uuid, path }) => {
    const [found, machine] = await Promise.all([
      ifThere(client.get(path, options)),
      readDocument(client, paths.machine(uuid), codecs.machine, options),
    ]);
    const parsed = found && parseRegistration(path, found.data, found.stat, { allowLoopback: true });
    if (!parsed?.ok || !machine || ledgerProblem(parsed.record, machine.record) !== null) return [];
    return [{ registration: { record: parsed.record }, machine }];
  });
  return read.flat();
}

async function childrenOf(client: RegistryClient, path: string, options: CallOptions): Promise<string[]> {
  return (await ifThere(client.children(path, options)))?.children ?? [];
}

/** Null where the node is gone, or its maker keeps us out. */
async function ifThere<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE', 'REGISTRY_NO_AUTH')) return null;
    throw error;
  }
}
