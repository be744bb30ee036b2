/** The front door as an environment file declares it. Pure. */
import { formatDuration } from './duration.ts';
import type {
  AccessSpec,
  CorsSpec,
  FrontDoorSpec,
  LimitsSpec,
  OperationDoorSpec,
  ServiceDoorSpec,
  TlsSpec,
} from './front-door.ts';
import { writeSize } from './size.ts';

/** Entries of the gateway's map; undefined where something is not declared. */
export function frontDoorOf(spec: FrontDoorSpec): [string, unknown][] {
  const { tls, limits, securityHeaders, accessLog, metrics, trustedProxies } = spec;
  return [
    ['tls', tls && tlsOf(tls)],
    ['limits', limits && { body: writeSize(limits.bodyBytes) }],
    ['security-headers', securityHeaders],
    ['access-log', accessLog && { size: writeSize(accessLog.bytes), keep: accessLog.keep }],
    ['metrics', metrics],
    ['trusted-proxies', trustedProxies],
  ];
}

function tlsOf({ port, certificate, key, clientCa, redirect }: TlsSpec): object {
  return { port, certificate, key, ...(clientCa === undefined ? {} : { 'client-ca': clientCa }), redirect };
}

/** Entries of a service's map. */
export function serviceDoorOf({ access, limits, cors, operations }: ServiceDoorSpec): [string, unknown][] {
  return [
    ['access', access && accessOf(access)],
    ['limits', limits && limitsOf(limits)],
    ['cors', cors && corsOf(cors)],
    ['operations', operations?.map(operationOf)],
  ];
}

function operationOf({ method, path, access, open, limits }: OperationDoorSpec): object {
  return {
    operation: `${method} ${path}`,
    ...(access === undefined ? {} : { access: accessOf(access) }),
    ...(open === undefined ? {} : { open }),
    ...(limits === undefined ? {} : { limits: limitsOf(limits) }),
  };
}

function accessOf({ apiKeys, basicFile, clientCertificate }: AccessSpec): object {
  const clients = apiKeys?.clients.map(({ name, sha256 }) => [name, `sha256:${sha256}`]);
  return {
    ...(apiKeys && clients ? { 'api-keys': { header: apiKeys.header, clients: Object.fromEntries(clients) } } : {}),
    ...(basicFile === undefined ? {} : { basic: basicFile }),
    ...(clientCertificate === undefined ? {} : { 'client-certificate': clientCertificate }),
  };
}

function limitsOf({ rate, bodyBytes }: LimitsSpec): object {
  return {
    ...(rate ? { rate: `${rate.requests}/${rate.per}`, burst: rate.burst } : {}),
    ...(bodyBytes === undefined ? {} : { body: writeSize(bodyBytes) }),
  };
}

function corsOf({ maxAgeMs, ...rest }: CorsSpec): object {
  return { ...rest, 'max-age': formatDuration(maxAgeMs) };
}
