/** A service's configuration from the registry, as its instances see it: environment variables and a JSON file. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigValue } from '../../specs/nouns.ts';

export type ConfigValues = Readonly<Record<string, ConfigValue>>;

/** `MCP_CONFIG_<KEY>` for each key, upper snake case: `maxAge` and `max-age` both become `MCP_CONFIG_MAX_AGE`. */
export function configEnvironment(values: ConfigValues): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) environment[`MCP_CONFIG_${upperSnake(key)}`] = String(value);
  return environment;
}

function upperSnake(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/** Writes `config.json` below `dir`, whole or not at all, and gives its path for `MCP_CONFIG_FILE`. */
export async function writeConfigFile(dir: string, values: ConfigValues): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, 'config.json');
  const temporary = `${path}.new`;
  await writeFile(temporary, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600 });
  await rename(temporary, path);
  return path;
}
