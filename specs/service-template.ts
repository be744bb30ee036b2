/** The name of a service's template: equal names, equal services in the same state. */

import { digestOf } from './digest.ts';
import type { Environment, Service, Version } from './nouns.ts';
import { runningVersions } from './running-versions.ts';

/**
 * Hex. It goes over everything that the service in the template was started with: what its version runs, its configuration
 * and the signal that it waits for. What its machine is made of is no part of it: a provider keeps that apart.
 */
function templateName(service: Pick<Service, 'name' | 'config' | 'warm'>, version: Version): string {
  const { name, config, warm } = service;
  return digestOf({ service: name, digest: version.digest, config, signal: warm?.signal }).slice(0, 16);
}

/** A version whose machines shall be cloned with it already started. */
export interface WarmVersion {
  service: Service;
  version: Version;
  template: string;
}

/** Of all declared services, those versions of which there shall be instances, in declared order. */
export function warmVersions({ services }: Pick<Environment, 'services'>): WarmVersion[] {
  return services.flatMap((service) => {
    const running = service.warm ? runningVersions(service) : [];
    return running.map((version) => ({ service, version, template: templateName(service, version) }));
  });
}
