/** Who a service's machine is, as a file: it is there before the service starts, or, from a template, once its machine is claimed. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What all services of a machine share. */
export interface MachineIdentity {
  machine: string;
  address: string;
}

/** For MCP_IDENTITY_FILE. `dir`: the machine's directory. */
export function identityFile(dir: string): string {
  return join(dir, 'identity.json');
}

/** Whole or not at all. */
export async function writeIdentity(
  dir: string,
  identity: MachineIdentity & { service: string; version: string },
): Promise<void> {
  const path = identityFile(dir);
  await writeFile(`${path}.new`, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
