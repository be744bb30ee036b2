/** What declaring an environment would lead to, version by version, from what is live now. Pure. */
import type { Environment, Service, Version } from '../../specs/nouns.ts';
import type { RegistryPart } from './status-view.ts';

interface PreviewRow {
  service: string;
  version: string;
  desired: number;
  /** Instances that are as declared and stay. */
  keep: number;
  /** Machines that will be claimed; the first ones from the pool. */
  start: number;
  /** Instances that are drained and destroyed once their replacements serve. */
  stop: number;
  weight: number | null;
  /** Why instances start or stop. */
  reason: string;
}

export interface Preview {
  rows: PreviewRow[];
  /** Machines to claim that are ready now. */
  poolHits: number;
  /** Machines to claim that must be built first. */
  coldBuilds: number;
  /** Most machines alive at one time: new ones serve before old ones go. */
  peakMachines: number;
}

/** Compares `environment` with the live instances of every service, undeclared ones included. */
export function previewEnvironment(environment: Environment, registry: RegistryPart): Preview {
  const declared = environment.services.flatMap((service) =>
    service.versions.map((version) => declaredRow(service, version, registry)),
  );
  const rows = [...declared, ...undeclaredRows(environment, registry)];
  const starts = rows.reduce((sum, row) => sum + row.start, 0);
  const ready = registry.machines.filter(({ record }) => record.state === 'ready').length;
  return {
    rows,
    poolHits: Math.min(ready, starts),
    coldBuilds: Math.max(0, starts - ready),
    peakMachines: registry.machines.length + Math.max(0, starts - ready),
  };
}

function declaredRow(service: Service, version: Version, registry: RegistryPart): PreviewRow {
  const held = holders(registry, service.name, version.version);
  const current = held.filter(({ digest }) => digest === undefined || digest === version.digest).length;
  const outdated = held.length - current;
  const keep = Math.min(current, version.count);
  return {
    service: service.name,
    version: version.version,
    desired: version.count,
    keep,
    start: version.count - keep,
    stop: current - keep + outdated,
    weight: version.weight ?? null,
    reason: reasonOf(version.count - keep, current - keep, outdated),
  };
}

function reasonOf(missing: number, surplus: number, outdated: number): string {
  if (outdated > 0) return `${outdated} run something else under this version's name and are replaced`;
  if (missing > 0) return 'more are declared than are live';
  return surplus > 0 ? 'fewer are declared than are live' : '';
}

/** Versions that have instances or claims and are declared no more. */
function undeclaredRows(environment: Environment, registry: RegistryPart): PreviewRow[] {
  const declared = new Set(
    environment.services.flatMap(({ name, versions }) => versions.map(({ version }) => `${name}@${version}`)),
  );
  const found = new Map<string, { service: string; version: string }>();
  for (const { record } of registry.machines) {
    const { claim } = record;
    if (claim && !declared.has(`${claim.service}@${claim.version}`))
      found.set(`${claim.service}@${claim.version}`, claim);
  }
  return [...found.values()].map(({ service, version }) => ({
    service,
    version,
    desired: 0,
    keep: 0,
    start: 0,
    stop: holders(registry, service, version).length,
    weight: null,
    reason: 'no longer declared',
  }));
}

/** Claimed machines and instances that registered by themselves; machines on their way out do not count. */
function holders(registry: RegistryPart, service: string, version: string): { digest: string | undefined }[] {
  const ours = new Set(registry.machines.map(({ record }) => record.uuid));
  const claimed = registry.machines
    .filter(
      ({ record }) =>
        record.state === 'claimed' && record.claim?.service === service && record.claim.version === version,
    )
    .map(({ record }) => ({ digest: record.claim?.digest }));
  const strangers = registry.registrations
    .filter(({ record }) => record.service === service && record.version === version && !ours.has(record.machine))
    .map(({ record }) => ({ digest: record.digest }));
  return [...claimed, ...strangers];
}

/** Nothing would start, stop or change. */
export function isNothing(preview: Preview): boolean {
  return preview.rows.every(({ start, stop }) => start === 0 && stop === 0);
}
