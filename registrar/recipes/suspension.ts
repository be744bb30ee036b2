import { paths } from '../layout.ts';
import type { SuspendedRecord } from '../records.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import { codecs } from '../store/codecs.ts';
import { requireDocument, updateDocument, type Versioned } from './versioned-document.ts';

export interface SuspensionRequest {
  reason: string;
  /** Who, e.g. `operator:ann`. */
  by: string;
  /** ms since the Unix epoch. */
  at: number;
}

/** The durable brake (P13) as it is now; CLUSTER_MISMATCH where the node is missing: that is not "not suspended". */
export function readSuspended(client: RegistryClient, options: CallOptions = {}): Promise<Versioned<SuspendedRecord>> {
  return requireDocument(client, paths.suspended, codecs.suspended, options);
}

/** Puts the brake on; where it is on already, the first reason stays. Gives what holds then. */
export function suspend(
  client: RegistryClient,
  request: SuspensionRequest,
  options: CallOptions = {},
): Promise<Versioned<SuspendedRecord>> {
  return change(client, true, request, options);
}

/** Takes the brake off. Gives what holds then. */
export function resume(
  client: RegistryClient,
  request: SuspensionRequest,
  options: CallOptions = {},
): Promise<Versioned<SuspendedRecord>> {
  return change(client, false, request, options);
}

async function change(
  client: RegistryClient,
  suspended: boolean,
  request: SuspensionRequest,
  options: CallOptions,
): Promise<Versioned<SuspendedRecord>> {
  await readSuspended(client, options);
  const { reason, by, at } = request;
  const written = await updateDocument(
    client,
    paths.suspended,
    codecs.suspended,
    (found) => (found?.suspended === suspended ? null : { suspended, reason, by, at }),
    options,
  );
  return written ?? readSuspended(client, options);
}
