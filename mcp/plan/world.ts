/** The snapshot, indexed: every machine with all that is known about it in one place. */
import type { DesiredRecord, MachineRecord } from '../../registrar/records.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import type { ProviderMachine } from '../../vm-factory/provider.ts';
import type { ObservedMachine, ObservedRegistration, Snapshot } from './snapshot.ts';

/**
 * What the provider says of a machine in the ledger. `gone`: its complete list lacks it. `stopped`: it is there and runs
 * nothing. A machine whose state the provider can't tell counts as `alive`: absence of knowledge is no evidence.
 */
type Condition = 'alive' | 'stopped' | 'gone' | 'awaited';

/** One machine of the ledger. */
export interface Unit {
  uuid: string;
  ledger: MachineRecord;
  observed: ObservedMachine;
  provider: ProviderMachine | null;
  condition: Condition;
  /** Its registration for what it is claimed for; any other of its registrations counts for nothing. */
  registration: ObservedRegistration | null;
  /** Registered, up, alive and not told to leave: this is an instance. */
  serving: boolean;
}

/** A registration of a machine that is not ours: counts as live, is never a victim. */
interface Standalone {
  service: string;
  version: string;
  digest: string | undefined;
}

export interface World {
  desired: DesiredRecord;
  services: Map<string, Service>;
  units: Unit[];
  unitsOf: Map<string, Unit[]>;
  standalonesOf: Map<string, Standalone[]>;
  /** Machines the provider lists with our tag and the ledger lacks. */
  unknown: ProviderMachine[];
}

export function describeWorld(snapshot: Snapshot, desired: DesiredRecord): World {
  const units = snapshot.machines.map(unitOf);
  const byUuid = new Map<string, Unit>();
  for (const unit of units) byUuid.set(unit.uuid, unit);
  const unknown = joinProvider(byUuid, snapshot.provider);
  const standalones = joinRegistrations(byUuid, snapshot.registrations);
  for (const unit of units) judge(unit);
  return {
    desired,
    services: new Map(desired.environment.services.map((service) => [service.name, service])),
    units,
    unitsOf: groupBy(units, (unit) => unit.ledger.claim?.service),
    standalonesOf: groupBy(standalones, (standalone) => standalone.service),
    unknown,
  };
}

/** What the ledger alone says of it. */
function unitOf(observed: ObservedMachine): Unit {
  const ledger = observed.record;
  const { uuid } = ledger;
  return { uuid, ledger, observed, provider: null, condition: 'gone', registration: null, serving: false };
}

/** Tells each unit what the provider says of it; gives those that have none. */
function joinProvider(byUuid: ReadonlyMap<string, Unit>, listed: readonly ProviderMachine[]): ProviderMachine[] {
  const unknown: ProviderMachine[] = [];
  for (const machine of listed) {
    const unit = byUuid.get(machine.uuid);
    if (unit) unit.provider = machine;
    else unknown.push(machine);
  }
  return unknown;
}

/** Tells each unit its registration for what it is claimed for; gives those of other people's machines that are up. */
function joinRegistrations(
  byUuid: ReadonlyMap<string, Unit>,
  registrations: readonly ObservedRegistration[],
): Standalone[] {
  const standalones: Standalone[] = [];
  for (const registration of registrations) {
    const { machine, service, version, state, digest } = registration.record;
    const unit = byUuid.get(machine);
    const claim = unit?.ledger.claim;
    if (unit && claim?.service === service && claim.version === version) unit.registration = registration;
    else if (!unit && state === 'up') standalones.push({ service, version, digest });
  }
  return standalones;
}

/** What follows from all that is known of it. */
function judge(unit: Unit): void {
  const { ledger, observed, provider, registration } = unit;
  const up = registration?.record.state === 'up';
  const stays = ledger.state === 'claimed' && observed.assignment?.record.want === 'run';
  unit.condition = conditionOf(ledger, provider, up);
  unit.serving = up && stays && unit.condition === 'alive';
}

function conditionOf(ledger: MachineRecord, provider: ProviderMachine | null, up: boolean): Condition {
  if (!provider) return ledger.state === 'building' ? 'awaited' : 'gone';
  if (provider.state === 'stopped') return 'stopped';
  // A provider's error may be about a call and not about the machine: one that still serves is left alone.
  if (provider.state === 'error' && !up) return 'stopped';
  return 'alive';
}

/** Instances wanted of a service, all versions; 0 where it is not declared. */
export function desiredTotal(world: World, service: string): number {
  const versions = world.services.get(service)?.versions ?? [];
  return versions.reduce((sum, version) => sum + version.count, 0);
}

/** The declared version that the machine runs exactly, or null if what it runs is not declared any more. */
export function declaredVersionOf(world: World, unit: Unit): Version | null {
  const claim = unit.ledger.claim;
  if (!claim) return null;
  const digest = unit.registration?.record.digest ?? claim.digest;
  const version = world.services.get(claim.service)?.versions.find((one) => one.version === claim.version);
  return version && version.digest === claim.digest && version.digest === digest ? version : null;
}

/** Live instances of a service: all versions, ours and standalone. */
export function liveCount(world: World, service: string): number {
  const ours = countIf(world.unitsOf.get(service) ?? [], (unit) => unit.serving);
  return ours + (world.standalonesOf.get(service)?.length ?? 0);
}

/** Every service that is declared or that a machine is claimed for, declared ones first. */
export function serviceNames(world: World): string[] {
  const stray = [...world.unitsOf.keys()].filter((name) => !world.services.has(name)).sort();
  return [...world.services.keys(), ...stray];
}

/** How many items pass. */
export function countIf<T>(items: readonly T[], passes: (item: T) => boolean): number {
  let count = 0;
  for (const item of items) if (passes(item)) count += 1;
  return count;
}

/** Without those that have no key. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
