/**
 * When the image changes, what serves is moved to machines of the new one first, then the pool follows: a machine of the new image
 * is claimed beside those declared, and when it serves, one of the old image is surplus (P4). One at a time for each service.
 * An instance that an operator told to go is replaced in the same way.
 */
import { imageOfService, nameOfImage } from '../../specs/image-reference.ts';
import { isActive } from '../rollout/rollout-input.ts';
import type { VersionCount } from './count-instances.ts';
import { liveOf } from './count-instances.ts';
import { type Draft, type ServiceView, short, wait } from './draft.ts';
import type { Because } from './plan.ts';
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

/** Why it is replaced, for people. */
export function reasonOf(world: World, unit: Unit): string {
  return isOfImage(world, unit)
    ? `${unit.ledger.toLeave?.by} told the instance on machine ${short(unit.uuid)} to go`
    : `an instance of it runs on a machine that is not of image ${imageOfService(world.desired.environment, world.services.get(unit.ledger.claim?.service ?? '') ?? {})}`;
}

/** A version that gets one more machine now, and the instance whose place it takes. */
interface Recycling {
  count: VersionCount;
  unit: Unit;
}

/** What of the service is replaced next; null for nothing, or where it has to wait, which is said. */
export function dueForRecycling(draft: Draft, service: ServiceView): Recycling | null {
  const { world } = draft;
  const rollout = draft.snapshot.rollouts[service.name]?.record;
  // A rollout counts on its surge: it replaces what it meets of those told to go.
  const isRolling = rollout !== undefined && isActive(rollout);
  for (const count of service.versions) {
    const unit = count.serving.find((one) => isDue(world, one) && !(isRolling && isOfImage(world, one)));
    if (!unit) continue;
    const held = whyNotYet(draft, service);
    if (held === null) return { count, unit };
    const why = `${reasonOf(world, unit)}: ${held.why}`;
    wait(draft, { what: service.name, service: service.name, cause: held.cause, why });
    return null;
  }
  return null;
}

/** Null: nothing else of the service moves, and it may lose one. */
function whyNotYet(draft: Draft, service: ServiceView): Because | null {
  const { world, budgets, memory } = draft;
  const isComplete = service.versions.every(
    (version) => liveOf(version) === version.version.count && version.coming.length === 0,
  );
  const leaving = world.unitsOf.get(service.name)?.some(({ ledger }) => ledger.state === 'draining') ?? false;
  if (!memory.quietOver) return { cause: 'quiet', why: 'this leader looks around first' };
  if (service.hold) return { cause: 'mass-failure', why: 'too few of the service are live' };
  if (!isComplete || leaving || service.outdated.length > 0)
    return { cause: 'in-turn', why: 'one at a time, and others come or go now' };
  return budgets.remaining(service.name) > 0 ? null : budgets.spent(service.name);
}
