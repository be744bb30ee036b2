/** Reads the registry and makes the status that `mcp status`, `mcp up` and `mcp watch` show. */
import { paths } from '../../registrar/layout.ts';
import { readDocument } from '../../registrar/recipes/versioned-document.ts';
import type { StatusRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { codecs } from '../../registrar/store/codecs.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import { type RegistryPart, type StatusView, statusView } from '../view/status-view.ts';

export interface ReadOptions {
  signal?: AbortSignal;
  /** Whether instances on loopback addresses are believed: on one machine they are. */
  allowLoopback: boolean;
}

/** The registry as it is and what the leading controller last said about it (null before the first one spoke). */
export async function readWorld(
  client: RegistryClient,
  { signal, allowLoopback }: ReadOptions,
): Promise<{ registry: RegistryPart; controller: StatusRecord | null; leading: boolean }> {
  const registry = await readRegistry(client, { signal, allowLoopback });
  const controller = (await readDocument(client, paths.status, codecs.status, { signal }))?.record ?? null;
  const { children } = await client.children(paths.leader, { signal });
  return { registry, controller, leading: children.length > 0 };
}

/** The stable status value; see design of the command line. */
export async function readStatus(client: RegistryClient, options: ReadOptions): Promise<StatusView> {
  const { registry, controller, leading } = await readWorld(client, options);
  return statusView(registry, {
    leader: leading && controller?.epoch === registry.epoch ? controller.leader : null,
    waiting: controller?.waiting ?? [],
    alarms: controller?.alarms ?? [],
    provider: controller?.provider,
  });
}
