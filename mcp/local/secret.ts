/** The environment's own registry credential: what is in its registry is for its daemons, machines and its owner only. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Credentials, registryAccess } from '../../registrar/access.ts';
import { McpError } from '../../specs/errors.ts';

export type RegistryAuth = Credentials;

/** How whoever has the environment's credential connects: what it creates gets its rights by its path. */
export function ownerOptions(auth: RegistryAuth) {
  return { auth, aclOf: registryAccess(auth)?.aclOf };
}

/** Makes the credential's file unless it is there; only its owner can read it. */
export async function makeSecret(file: string): Promise<void> {
  if (existsSync(file)) return;
  await writeFile(file, `mcp:${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
}

/**
 * The credential in a file that holds `user:password` in one line. Errors: USAGE_AUTH_FILE, which never shows what is in it.
 */
export function readSecret(file: string): RegistryAuth {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new McpError('USAGE_AUTH_FILE', `the registry credential ${file} can't be read`, {
      cause,
      hint: 'Run as the user who started the environment, or name another file with --auth-file.',
    });
  }
  if (!/^[^:\s]+:\S+$/.test(text)) {
    throw new McpError('USAGE_AUTH_FILE', `${file} does not hold one line of the form user:password`, {
      hint: 'Write the registry credential into it, readable by you alone.',
    });
  }
  return [{ scheme: 'digest', auth: text }];
}
