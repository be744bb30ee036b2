/** What the recipes' contract tests share. */
import type { ExecutionContext } from 'ava';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import type { EventRecord } from '../../../registrar/records.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { sampleEnvironment } from '../../helpers/environment.ts';

/** Gives sessions with one and the same empty registry; whatever it opens it closes when the test ends. */
export type OpenRegistry = (t: ExecutionContext) => Promise<() => Promise<RegistryClient>>;

export const clusterId = 'cluster-1';

/** A formatted registry with one session. */
export async function formatted(t: ExecutionContext, open: OpenRegistry) {
  const connect = await open(t);
  const client = await connect();
  await formatRegistry(client, systemClock, { clusterId });
  return { connect, client };
}

/** A declaration by that operator. */
export function declaration(author: string) {
  return {
    environment: sampleEnvironment(),
    author: `operator:${author}`,
    reason: 'because',
    allowance: {},
    at: 1,
  };
}

/** An event with that message. */
export function event(message: string): EventRecord {
  return { at: 1, actor: 'operator:ann', kind: 'test.happened', message, reason: '' };
}
