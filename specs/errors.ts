/**
 * The one error type of the project. A library's error never reaches a user bare: it is wrapped with a stable code, what
 * the user can do, and whether trying again can help (after microsoft/etcd3's src/errors.ts: retryability belongs to the error).
 */
export class McpError extends Error {
  /** Stable, documented in specs/errors.md, e.g. `REGISTRY_CONNECTION_LOSS`. */
  readonly code: string;
  /** True where the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** What the user can do, as a sentence; empty where there is nothing. */
  readonly hint: string;
  /** Structured facts for logs and `--json`; never secrets. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; retryable?: boolean; hint?: string; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'McpError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint ?? '';
    this.details = options.details ?? {};
  }
}

/** True for an McpError, optionally one of the given codes. */
export function isMcpError(error: unknown, ...codes: string[]): error is McpError {
  return error instanceof McpError && (codes.length === 0 || codes.includes(error.code));
}
