import { paths } from '../../registrar/layout.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';

/** The term in which something is said, for the event that tells of it. */
export async function readEpoch(client: RegistryClient): Promise<number> {
  return (await client.exists(paths.epoch))?.version ?? 0;
}
