import type { McpError } from '../../specs/errors.ts';
import type { RegistryClient, SessionState } from '../registry-client.ts';
import { registryError } from '../zookeeper/errors.ts';
import { deadError } from '../zookeeper/session-state.ts';

/** An AbortSignal with the means to stop looking. */
export interface StateSignal {
  signal: AbortSignal;
  abort(reason: unknown): void;
  dispose(): void;
}

/** True where a client can do nothing any more. */
export function isOver(state: SessionState): boolean {
  return deadError(state) !== null;
}

/**
 * A signal that aborts as soon as the client's state no longer `holds`, or `parent` aborts, or `abort` is called. Dispose it
 * when no one looks any more.
 */
export function stateSignal(
  client: RegistryClient,
  holds: (state: SessionState) => boolean,
  parent?: AbortSignal,
): StateSignal {
  const controller = new AbortController();
  const look = (state: SessionState) => {
    if (!holds(state) && !controller.signal.aborted) controller.abort(stateError(state));
  };
  const follow = () => controller.abort(parent?.reason);
  const stopLooking = client.onState(look);
  if (parent?.aborted) follow();
  parent?.addEventListener('abort', follow, { once: true });
  look(client.state);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    dispose() {
      stopLooking();
      parent?.removeEventListener('abort', follow);
    },
  };
}

/** What a state that is not what was needed means to whoever needed it. */
export function stateError(state: SessionState): McpError {
  return deadError(state) ?? registryError('REGISTRY_CONNECTION_LOSS', `the registry connection is ${state}`);
}

/** Resolves with a promise's value, or rejects with the signal's reason as soon as it aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
