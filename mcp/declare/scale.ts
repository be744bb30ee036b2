/** `mcp scale SERVICE[@VERSION] N` as a change of the declared environment. Pure. */

import { McpError } from '../../specs/errors.ts';
import { didYouMean } from '../../specs/near-miss.ts';
import type { Environment, Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';

/** Largest count of one version, as in the YAML. */
export const largestCount = 1000;

/**
 * The environment with another count. Errors (USAGE_*): unknown service or version with the nearest names; a service with
 * several versions where none is named.
 */
export function scaled(environment: Environment, target: string, count: number): Environment {
  const [name = '', wanted] = target.split('@');
  const service = environment.services.find((candidate) => candidate.name === name);
  if (!service)
    throw unknown(
      'service',
      name,
      environment.services.map((candidate) => candidate.name),
    );
  const version = versionToScale(service, wanted);
  return {
    ...environment,
    services: environment.services.map((candidate) =>
      candidate === service ? withCount(service, version, count) : candidate,
    ),
  };
}

function versionToScale(service: Service, wanted: string | undefined): Version {
  const names = service.versions.map(({ version }) => version);
  if (wanted !== undefined) {
    const found = service.versions.find(({ version }) => version === wanted);
    if (!found) throw unknown(`version of ${service.name}`, wanted, names);
    return found;
  }
  const running = runningVersions(service);
  const [only, second] = running.length > 0 ? running : service.versions;
  if (only && !second) return only;
  throw new McpError('USAGE_AMBIGUOUS', `${service.name} has ${names.length} versions: ${names.join(', ')}`, {
    hint: `Name one: mcp scale ${service.name}@${names[0] ?? 'VERSION'} N`,
  });
}

function withCount(service: Service, version: Version, count: number): Service {
  return {
    ...service,
    versions: service.versions.map((candidate) => (candidate === version ? { ...version, count } : candidate)),
  };
}

function unknown(what: string, name: string, known: string[]): McpError {
  return new McpError('USAGE_UNKNOWN_NAME', `there is no ${what} called "${name}"${didYouMean(name, known)}`, {
    hint: known.length > 0 ? `Declared: ${known.join(', ')}.` : 'Nothing is declared yet: mcp apply -f FILE.',
    details: { known },
  });
}
