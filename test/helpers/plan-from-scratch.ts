import { nestedRoutes } from '../../proxy-daemon/document/gateway-paths.ts';
import { ownPaths, plannedVersions, type ServicePlan, trimmed } from '../../proxy-daemon/document/plan-services.ts';
import type { DocumentInfo, DocumentTarget } from '../../proxy-daemon/document-source.ts';

/** What a ServicePlanner that was told these targets has planned, whatever it was told before. */
export function planFromScratch(targets: readonly DocumentTarget[], doors: DocumentInfo['doors'] = {}): ServicePlan {
  const services = new Map<string, DocumentTarget[]>();
  for (const target of targets) {
    const known = services.get(target.service);
    if (known) known.push(target);
    else services.set(target.service, [target]);
  }
  const plan: ServicePlan = { services: [], clashing: [] };
  const owners = new Map<string, string>();
  for (const [service, own] of [...services].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const route = trimmed(own[0]?.route ?? '/');
    const owner = owners.get(route);
    const versions = plannedVersions(service, route, own);
    if (owner !== undefined) {
      const reason = `the route ${route} belongs to ${owner}`;
      plan.clashing.push(...versions.map(({ version }) => ({ service, version, reason })));
      continue;
    }
    owners.set(route, service);
    const door = Object.hasOwn(doors, service) ? doors[service] : undefined;
    plan.services.push({ service, route, versions, nested: [], ...(door && { door }) });
  }
  const routes = [...new Set([...owners.keys(), ...ownPaths])].sort();
  for (const planned of plan.services) planned.nested = nestedRoutes(planned.route, routes);
  return plan;
}
