/**
 * Why the controller leaves a thing undone, as a closed list. The words beside a cause are for people and may change with any
 * release; whoever acts on why something waits goes by the cause. See decision 0100.
 */
export const waitCauses = [
  // Nothing at all is done.
  'suspended',
  'undeclared',
  'registry',
  'own-writes',
  'error',
  // Nothing is taken away.
  'quiet',
  'mass-failure',
  'budget',
  'protected',
  'replacement',
  'in-turn',
  // An instance is on its way, or no further one is tried.
  'starting',
  'unproven',
  'breaker',
  'no-machine',
  'no-image',
  'lost-ledger',
  // A machine is on its way in or out.
  'build',
  'drain',
  'stop',
  'provider',
  'orphan',
  // The pool is made no larger now.
  'slow-start',
  'backoff',
  'shared-host',
  'quota',
  'refill-later',
  // A step of a rollout.
  'rollout',
  // Stands for all that there was no room to tell.
  'more',
] as const;

export type WaitCause = (typeof waitCauses)[number];
