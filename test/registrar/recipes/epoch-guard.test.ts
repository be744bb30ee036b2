import test from 'ava';
import { explainCommit, guarded } from '../../../registrar/recipes/epoch-guard.ts';
import { registryError } from '../../../registrar/zookeeper/errors.ts';
import { isMcpError } from '../../../specs/errors.ts';

test('a guarded multi checks the epoch before all else', (t) => {
  t.deepEqual(guarded(7, [{ op: 'delete', path: '/a' }]), [
    { op: 'check', path: '/epoch', version: 7 },
    { op: 'delete', path: '/a' },
  ]);
});

test('what a failed guarded multi means depends on which check failed', (t) => {
  const failed = (code: Parameters<typeof registryError>[0], index: number) => {
    const error = explainCommit(registryError(code, '/x', { details: { index, path: '/x' } }), 7);
    return isMcpError(error) ? [error.code, error.retryable, error.details.index] : [];
  };
  t.deepEqual(failed('REGISTRY_BAD_VERSION', 0), ['EPOCH_LOST', false, undefined]);
  t.deepEqual(failed('REGISTRY_NO_NODE', 0), ['EPOCH_LOST', false, undefined]);
  t.deepEqual(failed('REGISTRY_BAD_VERSION', 2), ['WRITE_CONFLICT', false, 1]);
  t.deepEqual(failed('REGISTRY_NODE_EXISTS', 1), ['WRITE_CONFLICT', false, 0]);
  t.deepEqual(failed('REGISTRY_CONNECTION_LOSS', 0), ['WRITE_UNKNOWN', true, undefined]);
  t.deepEqual(failed('REGISTRY_NO_AUTH', 1), ['REGISTRY_NO_AUTH', false, 1]);
});
