/**
 * When the image changes, what serves is moved to machines of the new one first, then the pool follows: a machine of the new image
 * is claimed beside those declared, and when it serves, one of the old image is surplus (P4). One at a time for each service.
 * An instance that an operator told to go is replaced in the same way.
 */
import { imageOfService, nameOfImage } from '../../specs/image-reference.ts';
import { isActive } from '../rollout/rollout-input.ts';
import type { VersionCount } from './count-instances.ts';
import { liveOf } from './count-instances.ts';
import type { Draft, ServiceView } from './draft.ts';
import type { Unit, World } from './world.ts';

/** Whether the machine is of the image that new machines are made from, for what it runs or, where it is free, for the pool. */
export function isOfImage(world: World, unit: Unit): boolean {
  const service = world.services.get(unit.ledger.claim?.service ?? '');
  return unit.ledger.image === imageOfService(world.desired.environment, service ?? {});
}

/**
 * Whether the machine may be claimed where `image` is asked for: for a service's own image only one of it; for the pool's any
 * that is not of an image that a service asks for, since an older one of the pool is better than none.
 */
export function canServeAs({ desired: { environment } }: World, unit: Unit, image: string): boolean {
  if (unit.ledger.image === image || image !== environment.pool.image) return unit.ledger.image === image;
  const own = environment.services.flatMap((service) => service.image ?? []).map(nameOfImage);
  return !own.includes(nameOfImage(unit.ledger.image)) || nameOfImage(unit.ledger.image) === nameOfImage(image);
}

/** To be replaced by another machine though it serves; a protected one stays as it is. */
function isDue(world: World, unit: Unit): boolean {
  return !unit.ledger.protected && (!isOfImage(world, unit) || unit.ledger.toLeave !== undefined);
}

/** Machines that are on their way although enough serve, to take the place of one that is to be replaced: at most one. */
export function surgeOf({ world }: Draft, { serving, coming }: VersionCount): number {
  const due = serving.some((unit) => isDue(world, unit));
  return due && coming.some((unit) => !isDue(world, unit)) ? 1 : 0;
}

/** A version that gets one more machine now, and the instance whose place it takes. */
interface Recycling {
  count: VersionCount;
  unit: Unit;
}

/** What of the service is replaced next, where nothing else moves; null for nothing. */
export function dueForRecycling(draft: Draft, service: ServiceView): Recycling | null {
  const { world, budgets } = draft;
  const isComplete = service.versions.every(
    (version) => liveOf(version) === version.version.count && version.coming.length === 0,
  );
  const leaving = world.unitsOf.get(service.name)?.some(({ ledger }) => ledger.state === 'draining') ?? false;
  const mayFollow = budgets.remaining(service.name) > 0 && draft.memory.quietOver;
  if (!isComplete || leaving || service.hold || service.outdated.length > 0 || !mayFollow) return null;
  const rollout = draft.snapshot.rollouts[service.name]?.record;
  // A rollout counts on its surge: it replaces what it meets of those told to go.
  const isRolling = rollout !== undefined && isActive(rollout);
  for (const count of service.versions) {
    const unit = count.serving.find((one) => isDue(world, one) && !(isRolling && isOfImage(world, one)));
    if (unit) return { count, unit };
  }
  return null;
}
