/** Machines that are no more, kept for people: a bounded number, reports of failed self-tests longer than the rest. */
import { isMcpError } from '../../specs/errors.ts';
import { paths } from '../layout.ts';
import type { EndedRecord } from '../records.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import { codecs, decode } from '../store/codecs.ts';
import { mapBounded } from './map-bounded.ts';

/** Kept of all, and of each image's machines that failed their verification. */
const kept = { ended: 200, failedOfImage: 20 };
/** Trimming reads them all: it waits for this many too many. */
const slack = 20;
const parallel = 64;

/** The newest first. What is damaged, or goes meanwhile, is left out; so is everything where the node was never made. */
export async function readEnded(client: RegistryClient, options: CallOptions = {}): Promise<EndedRecord[]> {
  const names = await endedNames(client, options);
  const records = await mapBounded(names, parallel, async (uuid) => {
    const path = paths.ended(uuid);
    try {
      return decode(codecs.ended, path, (await client.get(path, options)).data);
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE', 'RECORD_INVALID')) return null;
      throw error;
    }
  });
  return records.filter((record) => record !== null).sort((a, b) => b.at - a.at);
}

/** Whether it never passed its verification. */
export function failedVerification({ machine }: EndedRecord): boolean {
  return machine.verification?.passed === false;
}

/** Deletes what is too many, the oldest first; gives how many. Two who trim at once do no harm. */
export async function trimEnded(client: RegistryClient, options: CallOptions = {}): Promise<number> {
  const names = await endedNames(client, options);
  if (names.length < kept.ended + slack) return 0;
  const records = await readEnded(client, options);
  const stay = new Set(records.slice(0, kept.ended).map(({ machine }) => machine.uuid));
  const failed = new Map<string, number>();
  for (const record of records.filter(failedVerification)) {
    const { image, uuid } = record.machine;
    const count = (failed.get(image) ?? 0) + 1;
    failed.set(image, count);
    if (count <= kept.failedOfImage) stay.add(uuid);
  }
  const old = names.filter((uuid) => !stay.has(uuid));
  await mapBounded(old, parallel, async (uuid) => {
    await client.delete(paths.ended(uuid), -1, options).catch((error: unknown) => {
      if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    });
  });
  return old.length;
}

async function endedNames(client: RegistryClient, options: CallOptions): Promise<string[]> {
  try {
    return (await client.children(paths.endedMachines, options)).children;
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE')) return [];
    throw error;
  }
}
