/** Access control lists: permission bits, and the lists that are needed in practice. */
import { createHash } from 'node:crypto';
import type { Acl, Permission } from '../registry-client.ts';

const bits: Record<Permission, number> = { read: 1, write: 2, create: 4, delete: 8, admin: 16 };
const allPermissions = Object.keys(bits) as Permission[];

export function permissionBits(permissions: readonly Permission[]): number {
  return permissions.reduce((sum, permission) => sum | bits[permission], 0);
}

export function permissionsOf(mask: number): Permission[] {
  return allPermissions.filter((permission) => (mask & bits[permission]) !== 0);
}

/** Everyone may do everything: ZooKeeper's default, and ours where neither an ACL nor credentials are given. */
export const openAcl: Acl[] = [{ scheme: 'world', id: 'anyone', permissions: allPermissions }];

/** Only whoever has the credentials of the creating connection may do anything (ZooKeeper's CREATOR_ALL_ACL). */
export const creatorAcl: Acl[] = [{ scheme: 'auth', id: '', permissions: allPermissions }];

/** `user:hash`, the id under which the server knows a digest credential `user:password`. */
export function digestId(credential: string): string {
  const user = credential.slice(0, Math.max(0, credential.indexOf(':')));
  return `${user}:${createHash('sha1').update(credential).digest('base64')}`;
}

/** The ACL entry that lets the holder of `user:password` (see addAuth) do these things. */
export function digestAcl(credential: string, permissions: Permission[] = allPermissions): Acl {
  return { scheme: 'digest', id: digestId(credential), permissions };
}
