/**
 * What may reach a configuration. Registrations and the environment are checked where they are read; this is the second
 * fence, at the gateway itself, since whoever can write to the registry must not be able to write directives.
 */

/** Paths that the gateway answers itself. No service may take one, nor anything below one. */
export const reservedPrefixes: readonly string[] = [
  '/docs',
  '/status',
  '/status.json',
  '/healthz',
  '/openapi.json',
  '/openapi.yaml',
  '/_mcp',
];

const longestRoute = 100;
const segment = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$/;

/** Empty where the route may be served, else what is wrong with it. */
export function routeProblem(route: string): string {
  if (route === '/') return '';
  if (route.length > longestRoute) return `route is longer than ${longestRoute} characters`;
  const segments = route.split('/');
  if (segments.shift() !== '' || !segments.every((part) => segment.test(part))) {
    return `route ${JSON.stringify(route)} has characters other than letters, digits and . _ ~ - between slashes`;
  }
  const taken = reservedPrefixes.find((prefix) => route === prefix || route.startsWith(`${prefix}/`));
  return taken ? `route ${route} is the gateway's own` : '';
}

/** Empty where the endpoint may be proxied to, else what is wrong with it. */
export function endpointProblem(address: string, port: number): string {
  if (!isIpAddress(address)) return `address ${JSON.stringify(address).slice(0, 80)} is not an IP address`;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `port ${port} is not between 1 and 65535`;
  return '';
}

/** Empty where the name may be used, else what is wrong with it. */
export function serviceNameProblem(name: string): string {
  return /^[a-z0-9-]{1,40}$/.test(name)
    ? ''
    : `service name ${JSON.stringify(name).slice(0, 80)} is not [a-z0-9-]{1,40}`;
}

function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** Without zone and without an embedded IPv4 part: nothing registers those. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}
