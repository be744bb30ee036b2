/** A service's front door from what the registry holds of it: the second fence, since others may write there too. Pure. */
import { type CorsSpec, isReservedHeader } from '../../specs/front-door.ts';
import type { Service } from '../../specs/nouns.ts';
import { serviceNameProblem } from '../routes/safe-values.ts';
import type { ServiceDoor } from './front-door.ts';

/**
 * Null where the service declares nothing. What it must not hold closes the door: better nobody gets in than somebody who
 * should not. `copyUsers` gives the gateway's own copy of an htpasswd file, null where it has none.
 */
export function makeServiceDoor(
  { name, access, limits, cors, proxy }: Service,
  copyUsers: (path: string) => string | null,
): ServiceDoor | null {
  if (serviceNameProblem(name) !== '' || (!access && !limits && !cors)) return null;
  const { apiKeys = null, basicFile, clientCertificate = null } = access ?? {};
  const usersFile = basicFile === undefined ? null : copyUsers(basicFile);
  const problems = [
    basicFile !== undefined && usersFile === null ? 'its users can not be read' : '',
    apiKeys !== null && basicFile !== undefined ? 'it declares both API keys and users' : '',
    access !== undefined && !apiKeys && basicFile === undefined && !clientCertificate ? 'it lets nobody through' : '',
    apiKeys === null ? '' : keysProblem(apiKeys),
    cors === undefined ? '' : corsProblem(cors),
    limits?.rate === undefined || isRate(limits.rate) ? '' : 'its rate is none',
    // 0 would be no limit at all, for nginx.
    limits?.bodyBytes === undefined || (isSize(limits.bodyBytes) && limits.bodyBytes > 0)
      ? ''
      : 'its largest body is no size',
  ].filter(Boolean);
  const common = {
    service: name,
    protocol: proxy?.protocol ?? ('http' as const),
    retryNonIdempotent: proxy?.retryNonIdempotent ?? false,
    closed: problems.join(', '),
  };
  if (problems.length > 0) {
    const nothing = {
      apiKeys: null,
      usersFile: null,
      clientCertificate: null,
      rate: null,
      bodyBytes: null,
      cors: null,
    };
    return { ...common, ...nothing };
  }
  const { rate = null, bodyBytes = null } = limits ?? {};
  return { ...common, apiKeys, usersFile, clientCertificate, rate, bodyBytes, cors: cors ?? null };
}

const headerName = /^[A-Za-z][A-Za-z0-9-]{0,39}$/;

function keysProblem({ header, clients }: NonNullable<ServiceDoor['apiKeys']>): string {
  if (!headerName.test(header) || isReservedHeader(header))
    return 'its API keys are in a header that can not be theirs';
  const isSound = clients.every(({ name, sha256 }) => /^[a-z0-9-]{1,40}$/.test(name) && /^[0-9a-f]{64}$/.test(sha256));
  return isSound && clients.length > 0 ? '' : 'its API keys are none';
}

function corsProblem({ origins, methods, headers, expose, credentials, maxAgeMs }: CorsSpec): string {
  const isSound =
    origins.length > 0 &&
    origins.every((origin) => /^(?:\*|https?:\/\/[a-z0-9.-]{1,253}(?::[1-9]\d{0,4})?)$/.test(origin)) &&
    methods.every((method) => /^[A-Z]{1,10}$/.test(method)) &&
    [...headers, ...expose].every((name) => headerName.test(name)) &&
    !(origins.includes('*') && (credentials || origins.length > 1)) &&
    isSize(maxAgeMs) &&
    [methods, headers, expose].every((list) => list.length <= 50);
  return isSound ? '' : 'its origins are none';
}

function isRate({ requests, per, burst }: NonNullable<ServiceDoor['rate']>): boolean {
  const isWhole = (value: number, least: number) => Number.isInteger(value) && value >= least && value <= 1_000_000;
  return isWhole(requests, 1) && isWhole(burst, 0) && (per === 's' || per === 'm');
}

function isSize(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= 2 ** 40;
}
