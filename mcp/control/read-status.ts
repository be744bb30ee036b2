/** Reads the registry and makes the status that `mcp status`, `mcp up` and `mcp watch` show. */
import { paths } from '../../registrar/layout.ts';
import { readDocument } from '../../registrar/recipes/versioned-document.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { StatusRecord } from '../../registrar/status-records.ts';
import { codecs } from '../../registrar/store/codecs.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { type RolloutView, rolloutViews } from '../view/rollout-view.ts';
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
  return statusOf(await readWorld(client, options));
}

/** As `readStatus`, with the rollouts under way as they are at `now`, ms since the Unix epoch. */
export async function readPicture(
  client: RegistryClient,
  now: number,
  options: ReadOptions,
): Promise<StatusView & { rollouts: RolloutView[] }> {
  const world = await readWorld(client, options);
  const rollouts = rolloutViews(world.registry, world.controller?.waiting ?? [], now).filter(isActive);
  return { ...statusOf(world), rollouts };
}

function statusOf({ registry, controller, leading }: Awaited<ReturnType<typeof readWorld>>): StatusView {
  return statusView(registry, {
    leader: leading && controller?.epoch === registry.epoch ? controller.leader : null,
    waiting: controller?.waiting ?? [],
    alarms: controller?.alarms ?? [],
    provider: controller?.provider,
  });
}
