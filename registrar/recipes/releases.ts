/**
 * What operators let go of: instances that vanished from the registry unannounced and that gateways hold (P9). A release
 * speaks of what was missing at a zxid, so it never lets go of anything that is lost later, whatever the clocks say.
 */
import { paths } from '../layout.ts';
import type { ReleasesRecord } from '../records.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import { codecs } from '../store/codecs.ts';
import { readDocument, updateDocument } from './versioned-document.ts';

export interface ReleaseRequest {
  /** Null: all services. */
  service: string | null;
  reason: string;
  /** Who, e.g. `operator:ann`. */
  by: string;
  /** ms since the Unix epoch. */
  at: number;
}

/** Services that may have a release of their own at a time; the oldest go. */
const mostReleases = 200;

/** What has been released so far; nothing where nobody ever did. */
export async function readReleases(client: RegistryClient, options: CallOptions = {}): Promise<ReleasesRecord> {
  return (await readDocument(client, paths.released, codecs.releases, options))?.record ?? { releases: [] };
}

/** Lets go of what is missing now. Gives the zxid that the release speaks of. */
export async function release(
  client: RegistryClient,
  request: ReleaseRequest,
  options: CallOptions = {},
): Promise<number> {
  await client.sync(paths.services, options);
  const { zxid: asOf } = await client.get(paths.services, options);
  await updateDocument(
    client,
    paths.released,
    codecs.releases,
    (found) => {
      const others = (found?.releases ?? []).filter(({ service }) => service !== request.service);
      return { releases: [...others, { ...request, asOf }].slice(-mostReleases) };
    },
    options,
  );
  return asOf;
}
