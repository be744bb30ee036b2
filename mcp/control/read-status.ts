/** Reads the registry and makes the status that `mcp status`, `mcp up` and `mcp watch` show. */
import { paths } from '../../registrar/layout.ts';
import type { StatusRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { statusCodec } from '../../registrar/store/codecs.ts';
import { type RegistryView, readRegistry } from '../../registrar/store/read-registry.ts';
import { isMcpError } from '../../specs/errors.ts';
import { type StatusView, statusView } from '../view/status-view.ts';

/** The registry as it is and what the leading controller last said about it (null before the first one spoke). */
export async function readWorld(
  client: RegistryClient,
  signal?: AbortSignal,
): Promise<{ registry: RegistryView; controller: StatusRecord | null; leading: boolean }> {
  const registry = await readRegistry(client, signal);
  const controller = await readController(client);
  const { children } = await client.children(paths.leader, { signal });
  return { registry, controller, leading: children.length > 0 };
}

/** The stable status value; see design of the command line. */
export async function readStatus(client: RegistryClient, signal?: AbortSignal): Promise<StatusView> {
  const { registry, controller, leading } = await readWorld(client, signal);
  return statusView(registry, {
    leader: leading && controller?.epoch === registry.epoch ? controller.leader : null,
    waiting: controller?.waiting ?? [],
    alarms: controller?.alarms ?? [],
  });
}

async function readController(client: RegistryClient): Promise<StatusRecord | null> {
  try {
    const { data } = await client.get(paths.status);
    return statusCodec.decode(paths.status, data);
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
    throw error;
  }
}
