/** The three ways a provider's call can fail, spelled once (see provider.ts for what each means to the caller). */
import { McpError } from '../specs/errors.ts';

interface ErrorFacts {
  hint?: string;
  cause?: unknown;
  details?: Record<string, unknown>;
}

/** Quota, a bad request, a wrong pairing: a retry does not help. Nothing was done. */
export function refused(message: string, facts: ErrorFacts = {}): McpError {
  return new McpError('PROVIDER_REFUSED', message, facts);
}

/** Nothing was done; the same call may work later. */
export function unavailable(message: string, facts: ErrorFacts = {}): McpError {
  return new McpError('PROVIDER_UNAVAILABLE', message, { ...facts, retryable: true });
}

/** The call may have worked or may still land: look for the operation id before anything else. */
export function unknownOutcome(message: string, facts: ErrorFacts = {}): McpError {
  return new McpError('PROVIDER_UNKNOWN', message, { ...facts, retryable: true });
}
