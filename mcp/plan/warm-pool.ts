/**
 * Machines with a service already started: a small pool for each version of a warm service, beside the one for all. They are
 * verified like any other before they are ready.
 */
import type { MachineRecord } from '../../registrar/records.ts';
import { imageOfService } from '../../specs/image-reference.ts';
import { warmVersions } from '../../specs/service-template.ts';
import type { PoolMachine } from '../../vm-factory/pool/pool-policy.ts';
import type { Draft } from './draft.ts';
import { isBeforeClaim } from './machine-health.ts';
import { isStarting } from './under-way.ts';
import type { Unit, World } from './world.ts';

/** What the machines of one pool are made of. */
export interface PoolOfImage {
  image: string;
  /** Under which their failures are counted, so that a bad template does not stop the pool for all. */
  kind: string;
  template?: string;
  /** Ready machines wanted beyond what is claimed. */
  target: number;
  of: readonly PoolMachine[];
  /** Nothing is made now, whatever is missing. */
  isHeld?: boolean;
}

/** By what failures of machines that never became ready are counted. */
export function machineKind({ image, template }: Pick<MachineRecord, 'image' | 'template'>): string {
  return template === undefined ? image : `${image} with template ${template}`;
}

/** Whether the unit was made for a pool of its own, and is not claimed. */
export function isOfWarmPool({ ledger }: Unit): boolean {
  return ledger.template !== undefined && isBeforeClaim(ledger.state);
}

/** The service template whose service waits in this machine, by its agent's word; null: none. */
export function templateIn({ observed }: Unit): string | null {
  return observed.agent?.template ?? null;
}

/**
 * The pools of all warm versions. What was made for one that is not declared any more is in a last one, of which nothing is wanted.
 * @param machines those of `isOfWarmPool`, by template
 */
export function warmPools(draft: Draft, machines: ReadonlyMap<string, readonly PoolMachine[]>): PoolOfImage[] {
  const { snapshot, world } = draft;
  const { environment } = world.desired;
  const urgent = isUrgent(draft);
  const wanted = warmVersions(environment).map(({ service, template }): PoolOfImage => {
    const image = imageOfService(environment, service);
    const isHeld = urgent || snapshot.templates?.[template]?.state !== 'ready';
    const of = machines.get(template) ?? [];
    return { image, template, kind: machineKind({ image, template }), target: service.warm?.ready ?? 0, of, isHeld };
  });
  const known = new Set(wanted.map(({ template }) => template));
  const stale = [...machines].flatMap(([template, of]) => (known.has(template) ? [] : of));
  return [...wanted, { image: environment.pool.image, kind: 'no template', target: 0, of: stale, isHeld: true }];
}

/** Machines are claimed, waited for, or were claimed just now and start: these get the processor first. */
function isUrgent({ actions, unmetClaims, world, memory, input }: Draft): boolean {
  const claims = actions.some(({ kind }) => kind === 'claim') || [...unmetClaims.values()].some((count) => count > 0);
  return claims || world.units.some((unit) => isStarting(unit, memory, input.now));
}

/** The service template of a declared version; null where it has none. */
export function templateOf({ desired }: World, service: string, version: string): string | null {
  const found = warmVersions(desired.environment).find(
    (warm) => warm.service.name === service && warm.version.version === version,
  );
  return found?.template ?? null;
}
