/** A service's front door from what the registry holds of it: the second fence, since others may write there too. Pure. */
import {
  type AccessSpec,
  type CorsSpec,
  doorMethods,
  isDoorPath,
  isReservedHeader,
  type LimitsSpec,
  type OperationDoorSpec,
} from '../../specs/front-door.ts';
import type { Service } from '../../specs/nouns.ts';
import { mostExactFirst } from '../routes/operation-pattern.ts';
import { serviceNameProblem } from '../routes/safe-values.ts';
import type { DoorRules, OperationDoor, ServiceDoor } from './front-door.ts';

/**
 * Null where the service declares nothing. What it must not hold closes the door: better nobody gets in than somebody who
 * should not. `copyUsers` gives the gateway's own copy of an htpasswd file, null where it has none.
 */
export function makeServiceDoor(
  { name, access, limits, cors, operations = [], proxy }: Service,
  copyUsers: (path: string) => string | null,
): ServiceDoor | null {
  if (serviceNameProblem(name) !== '' || (!access && !limits && !cors && operations.length === 0)) return null;
  const common = {
    service: name,
    protocol: proxy?.protocol ?? ('http' as const),
    retryNonIdempotent: proxy?.retryNonIdempotent ?? false,
  };
  const whole = makeRules(access, limits, copyUsers);
  const problems = [
    ...whole.problems,
    cors === undefined ? '' : corsProblem(cors),
    // Which requests it would be for is not known: so it may be any.
    areOperations(operations) ? '' : 'its operations are none',
  ].filter(Boolean);
  if (problems.length > 0) return { ...common, ...closedRules(problems), cors: null, operations: [] };
  const made = operations.map((one) => makeOperation(one, whole.rules, copyUsers));
  return { ...common, ...whole.rules, cors: cors ?? null, operations: mostExactFirst(made) };
}

function makeOperation(
  { method, path, access, open, limits }: OperationDoorSpec,
  whole: DoorRules,
  copyUsers: (path: string) => string | null,
): OperationDoor {
  const of = { method, path, own: { access: access !== undefined || open === true, rate: limits?.rate !== undefined } };
  const { rules, problems } = makeRules(access, limits, copyUsers);
  if (problems.length > 0) return { ...of, ...closedRules(problems) };
  const { apiKeys, usersFile, clientCertificate } = of.own.access ? rules : whole;
  return {
    ...{ ...of, closed: '', apiKeys, usersFile, clientCertificate },
    rate: rules.rate ?? whole.rate,
    bodyBytes: rules.bodyBytes ?? whole.bodyBytes,
  };
}

function makeRules(
  access: AccessSpec | undefined,
  limits: LimitsSpec | undefined,
  copyUsers: (path: string) => string | null,
): { rules: DoorRules; problems: string[] } {
  const { apiKeys = null, basicFile, clientCertificate = null } = access ?? {};
  const usersFile = basicFile === undefined ? null : copyUsers(basicFile);
  const { rate = null, bodyBytes = null } = limits ?? {};
  const problems = [
    basicFile !== undefined && usersFile === null ? 'its users can not be read' : '',
    apiKeys !== null && basicFile !== undefined ? 'it declares both API keys and users' : '',
    access !== undefined && !apiKeys && basicFile === undefined && !clientCertificate ? 'it lets nobody through' : '',
    apiKeys === null ? '' : keysProblem(apiKeys),
    rate === null || isRate(rate) ? '' : 'its rate is none',
    // 0 would be no limit at all, for nginx.
    bodyBytes === null || (isSize(bodyBytes) && bodyBytes > 0) ? '' : 'its largest body is no size',
  ].filter(Boolean);
  return { rules: { closed: '', apiKeys, usersFile, clientCertificate, rate, bodyBytes }, problems };
}

function closedRules(problems: readonly string[]): DoorRules {
  const nothing = { apiKeys: null, usersFile: null, clientCertificate: null, rate: null, bodyBytes: null };
  return { ...nothing, closed: problems.join(', ') };
}

/** Each one once: nginx takes no two doors at one place. */
function areOperations(operations: readonly OperationDoorSpec[]): boolean {
  const isSound = operations.every(({ method, path }) => doorMethods.includes(method) && isDoorPath(path));
  const different = new Set(operations.map(({ method, path }) => `${method} ${path}`)).size;
  return isSound && different === operations.length && operations.length <= 50;
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
