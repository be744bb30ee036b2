import type { RegistryAccess } from '../access.ts';
import { paths } from '../layout.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';

/** Gives what is already there the rights that it would be made with now: an environment that an older MCP made. */
export async function secureRegistry(
  client: RegistryClient,
  access: RegistryAccess,
  options: CallOptions = {},
): Promise<void> {
  const childrenOf = async (parent: string) =>
    (await client.children(parent, options)).children.map((name) => `${parent}/${name}`);
  const services = await childrenOf(paths.services);
  const versions = (await Promise.all(services.map(childrenOf))).flat();
  const configs = await childrenOf(paths.configs);
  for (const path of [paths.cluster, paths.machines, paths.gateways, ...versions, ...configs])
    await client.setAcl(path, access.aclOf(path), -1, options);
}
