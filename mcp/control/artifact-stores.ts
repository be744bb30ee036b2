/** Where the machines of an environment fetch artifacts from: what a new one tries to reach before it enters the pool. Pure. */
import type { Artifact, Environment } from '../../specs/nouns.ts';

/** Enough to tell a machine without a network from one whose store is down. */
const most = 5;

/** One artifact of each store; queries, which may hold secrets, are left out. Undefined where nothing is fetched. */
export function artifactStores(environment: Environment | undefined): Artifact[] | undefined {
  const stores = new Map<string, Artifact>();
  for (const { artifact } of environment?.services.flatMap(({ versions }) => versions) ?? []) {
    const url = artifact && URL.parse(artifact.url);
    if (!url || stores.size === most) continue;
    stores.set(`${url.protocol}//${url.host}`, {
      url: `${url.protocol}//${url.host}${url.pathname}`,
      sha256: artifact.sha256,
    });
  }
  return stores.size > 0 ? [...stores.values()] : undefined;
}
