/** `mcp status` as a value: the stable JSON contract, made from what the registry says. Pure. */

import type { ForeignWord, GatewayRecord, SuspendedRecord, TemplateRecord } from '../../registrar/records.ts';
import type { ProviderRecord, WaitingRecord } from '../../registrar/status-records.ts';
import type { Environment, Service } from '../../specs/nouns.ts';
import type { Alarm } from '../plan/plan.ts';
import { knownPoolSize } from '../plan/pool-record.ts';
import type { ObservedRegistration, Snapshot } from '../plan/snapshot.ts';

/** The part of the snapshot that needs no provider: what the registry alone tells. */
export type RegistryPart = Omit<Snapshot, 'provider' | 'limits' | 'at'>;

interface InstanceView {
  machine: string;
  address: string;
  port: number;
  state: 'up' | 'draining' | 'starting' | 'failed';
  /** Registered by an agent that runs alone beside some process: no machine of ours. */
  standalone?: true;
}

export interface VersionView {
  version: string;
  desired: number;
  live: number;
  weight: number | null;
  instances: InstanceView[];
}

/** Instances that other software registers, as a gateway sees them: nobody here declares how many there are. */
export type ForeignView = Pick<ForeignWord, 'version' | 'dialect' | 'instances' | 'routed' | 'out' | 'problem'>;

interface ServiceView {
  name: string;
  route: string;
  desired: number;
  live: number;
  versions: VersionView[];
  /** Absent where there are none. */
  foreign?: ForeignView[];
}

interface GatewayView {
  id: string;
  url: string;
  generation: number;
  mode: string;
  /** Why this mode; empty where it does not say. */
  modeReason: string;
  /** What is amiss though everything is served; empty where nothing is. */
  alarm: string;
  /** HTTPS, and until when its certificate is valid, ms since the Unix epoch; null: HTTP alone. */
  tls: { url: string; notAfter: number } | null;
  /** Why it keeps the last good configuration against the registry; empty where it does not. */
  holding: string;
  /** It has acknowledged the last change of every registration. */
  current: boolean;
}

export interface StatusView {
  environment: string | null;
  generation: number | null;
  leader: string | null;
  epoch: number;
  suspended: Pick<SuspendedRecord, 'reason' | 'by' | 'at'> | null;
  services: ServiceView[];
  pool: { ready: number; building: number; target: number };
  gateways: GatewayView[];
  /** Where machines come from and how they are made, as the leading controller said; null before the first one spoke. */
  provider: ProviderRecord | null;
  /** Of each version that shall have a service template. */
  templates: TemplateRecord[];
  waiting: WaitingRecord[];
  alarms: Alarm[];
}

/** What the leading controller last said. */
export interface ControllerWords {
  leader: string | null;
  waiting: WaitingRecord[];
  alarms: Alarm[];
  provider?: ProviderRecord;
}

/** The status of everything, services in declared order, undeclared ones that still have instances last. */
export function statusView(registry: RegistryPart, controller: ControllerWords): StatusView {
  const desired = registry.desired?.record;
  const { suspended, reason, by, at } = registry.suspended.record;
  return {
    environment: desired?.environment.name ?? null,
    generation: desired?.generation ?? null,
    leader: controller.leader,
    epoch: registry.epoch,
    suspended: suspended ? { reason, by, at } : null,
    services: serviceViews(registry, desired?.environment ?? null),
    pool: poolView(registry, desired?.environment ?? null),
    gateways: registry.gateways.map((gateway) => gatewayView(gateway, lastChange(registry))),
    provider: controller.provider ?? null,
    templates: registry.pool?.record?.templates ?? [],
    waiting: controller.waiting,
    alarms: controller.alarms,
  };
}

/**
 * True where every version has exactly its count of healthy instances, nothing drains, nothing undeclared is left, and every
 * gateway serves that. Standalone instances beyond the count are nobody's to take away.
 */
export function isConverged(status: StatusView): boolean {
  const served = status.gateways.every(({ current, holding }) => current && holding === '');
  return served && status.services.every(({ versions }) => versions.every(isAsDeclared));
}

function isAsDeclared({ live, desired, instances }: VersionView): boolean {
  const ours = instances.filter(({ standalone }) => !standalone);
  if (ours.some(({ state }) => state !== 'up')) return false;
  return live === desired || (live > desired && ours.length === 0);
}

function serviceViews(registry: RegistryPart, environment: Environment | null): ServiceView[] {
  const declared = environment?.services ?? [];
  const names = new Set(declared.map((service) => service.name));
  const leftOver = [...new Set(registry.registrations.map(({ record }) => record.service))]
    .filter((name) => !names.has(name))
    .sort();
  const words = foreignWords(registry);
  const own = [
    ...declared.map((service) => serviceView(registry, service.name, service)),
    ...leftOver.map((name) => serviceView(registry, name, null)),
  ];
  const shown = new Set(own.map(({ name }) => name));
  const others = [...new Set(words.map(({ service }) => service))].filter((name) => !shown.has(name));
  return [
    ...own,
    ...others.map((name): ServiceView => ({ name, route: `/${name}`, desired: 0, live: 0, versions: [] })),
  ].map((service) => withForeign(service, words));
}

/** What the first gateway that knows of other registries says; they all read the same. */
export function foreignWords({ gateways }: Pick<RegistryPart, 'gateways'>): ForeignWord[] {
  return gateways.find(({ foreign }) => foreign !== undefined)?.foreign ?? [];
}

function withForeign(service: ServiceView, words: readonly ForeignWord[]): ServiceView {
  const mine = words.filter((word) => word.service === service.name);
  if (mine.length === 0) return service;
  const foreign = mine.map(({ version, dialect, instances, routed, out, problem }): ForeignView => {
    return { version, dialect, instances, routed, out, problem };
  });
  return { ...service, route: mine.find(({ route }) => route)?.route ?? service.route, foreign };
}

function serviceView(registry: RegistryPart, name: string, service: Service | null): ServiceView {
  const registrations = registry.registrations.filter(({ record }) => record.service === name);
  const claims = registry.machines.filter(({ record }) => record.claim?.service === name);
  const declared = service?.versions.map(({ version }) => version) ?? [];
  const seen = [
    ...registrations.map(({ record }) => record.version),
    ...claims.map(({ record }) => record.claim?.version ?? ''),
  ];
  const others = [...new Set(seen)].filter((version) => !declared.includes(version)).sort();
  const versions = [...declared, ...others].map((version) => {
    const spec = service?.versions.find((candidate) => candidate.version === version);
    const mine = registrations.filter(({ record }) => record.version === version);
    return {
      version,
      desired: spec?.count ?? 0,
      live: mine.filter(({ record }) => record.state === 'up').length,
      weight: spec?.weight ?? null,
      instances: instanceViews(registry, name, version, mine),
    };
  });
  return {
    name,
    route: service?.route ?? `/${name}`,
    desired: versions.reduce((sum, version) => sum + version.desired, 0),
    live: versions.reduce((sum, version) => sum + version.live, 0),
    versions,
  };
}

/** Registered instances, then machines that are claimed for the version and not registered yet. */
export function instanceViews(
  registry: RegistryPart,
  service: string,
  version: string,
  registered: ObservedRegistration[],
): InstanceView[] {
  const machines = new Set(registry.machines.map(({ record }) => record.uuid));
  const known = new Set(registered.map(({ record }) => record.machine));
  const coming = registry.machines.filter(
    ({ record }) =>
      record.claim?.service === service &&
      record.claim.version === version &&
      record.state !== 'deleting' &&
      !known.has(record.uuid),
  );
  return [
    ...registered.map(({ record }) => ({
      machine: record.machine,
      address: record.address,
      port: record.port,
      state: record.state,
      ...(machines.has(record.machine) ? {} : { standalone: true as const }),
    })),
    ...coming.map(({ record, agent, assignment }) => ({
      machine: record.uuid,
      address: record.address ?? '',
      port: assignment?.record.version.port ?? 0,
      state:
        agent?.phase === 'failed'
          ? ('failed' as const)
          : record.state === 'draining'
            ? ('draining' as const)
            : ('starting' as const),
    })),
  ].sort((a, b) => (a.machine < b.machine ? -1 : 1));
}

function poolView(registry: RegistryPart, environment: Environment | null): StatusView['pool'] {
  // Those with a service already started are beside the pool.
  const plain = registry.machines.filter(({ record }) => record.template === undefined);
  const count = (...states: string[]) => plain.filter(({ record }) => states.includes(record.state)).length;
  const { target } = knownPoolSize(environment?.pool, registry.pool?.record ?? null);
  return { ready: count('ready'), building: count('building', 'verifying'), target };
}

function gatewayView(gateway: GatewayRecord, lastChanged: number): GatewayView {
  const { id, url, mode, modeReason = '', alarm = '', tls = null, holding, served } = gateway;
  const current = served.asOf >= lastChanged;
  return { id, url, generation: served.generation, mode, modeReason, alarm, tls, holding, current };
}

/** zxid of the newest registration's last change. */
function lastChange(registry: RegistryPart): number {
  return registry.registrations.reduce((newest, { mzxid }) => Math.max(newest, mzxid), 0);
}
