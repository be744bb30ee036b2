/**
 * What may reach a configuration. Registrations and the environment are checked where they are read; this is the second
 * fence, at the gateway itself, since whoever can write to the registry must not be able to write directives.
 */
import { addressKind, canonicalAddress } from '../../registrar/dialects/address.ts';

/** First segments of the paths that the gateway answers itself. No service may take one, nor anything below one. */
const reservedSegments: ReadonlySet<string> = new Set([
  'docs',
  'status',
  'status.json',
  'healthz',
  'openapi.json',
  'openapi.yaml',
  '_mcp',
]);

const longestRoute = 250;
const wellFormed = /^(?:\/[a-z0-9_~-][a-z0-9._~-]*)+$/;

/** Empty where the route may be served, else what is wrong with it. */
export function routeProblem(route: string): string {
  if (route === '/') return '';
  if (route.length > longestRoute) return `route is longer than ${longestRoute} characters`;
  if (!wellFormed.test(route)) {
    return `route ${JSON.stringify(route)} has characters other than a-z, 0-9 and . _ ~ - between slashes`;
  }
  const end = route.indexOf('/', 1);
  return reservedSegments.has(route.slice(1, end < 0 ? undefined : end)) ? `route ${route} is the gateway's own` : '';
}

/** Empty where the endpoint may be proxied to, else what is wrong with it. */
export function endpointProblem(address: string, port: number): string {
  if (addressKind(address) === 'not-an-address')
    return `address ${JSON.stringify(address).slice(0, 80)} is not an IP address`;
  // nginx refuses some of the others.
  if (canonicalAddress(address) !== address) return `address ${address} is not written in its canonical form`;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `port ${port} is not between 1 and 65535`;
  return '';
}

/** Empty where the name may be used, else what is wrong with it. */
export function serviceNameProblem(name: string): string {
  return /^[a-z0-9-]{1,40}$/.test(name)
    ? ''
    : `service name ${JSON.stringify(name).slice(0, 80)} is not [a-z0-9-]{1,40}`;
}

/** Empty where the version may be used, else what is wrong with it. */
export function versionProblem(version: string): string {
  return /^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$/.test(version)
    ? ''
    : `version ${JSON.stringify(version).slice(0, 80)} is not 1 to 40 of letters, digits, . and -`;
}
