/** What failures of a publication say. Pure. */
import { isMcpError } from '../specs/errors.ts';

/** nginx itself did not take it. */
export function isRefusal(error: unknown): boolean {
  const codes = ['GATEWAY_CONFIG_REJECTED', 'GATEWAY_RELOAD_FAILED', 'GATEWAY_NGINX_START'];
  return isMcpError(error) && codes.includes(error.code);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
