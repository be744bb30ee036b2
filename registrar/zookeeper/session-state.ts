/** A session's state with its listeners, and what a call gets in a state from which no session returns. */
import type { McpError } from '../../specs/errors.ts';
import type { SessionState } from '../registry-client.ts';
import { registryError } from './errors.ts';
import { callListener } from './watches.ts';

export class StateBox {
  #value: SessionState;
  readonly #listeners = new Set<{ call: (state: SessionState) => void }>();

  constructor(value: SessionState) {
    this.#value = value;
  }

  get value(): SessionState {
    return this.#value;
  }

  /** True in states from which no session returns. */
  get dead(): boolean {
    return deadError(this.#value) !== null;
  }

  set(value: SessionState): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) callListener(listener.call, value);
  }

  listen(call: (state: SessionState) => void): () => void {
    const entry = { call };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }
}

/** The error of every call in that state; null while the session lives. */
export function deadError(state: SessionState): McpError | null {
  switch (state) {
    case 'expired':
      return registryError('REGISTRY_SESSION_EXPIRED');
    case 'auth-failed':
      return registryError('REGISTRY_AUTH_FAILED');
    case 'closed':
      return registryError('REGISTRY_CLOSED');
    default:
      return null;
  }
}
