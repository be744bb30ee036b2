/** The front door as declared, with defaults filled in; and the rules between its parts. Pure. */
import type { BrokenRule } from './broken-rule.ts';
import { parseDuration } from './duration.ts';
import type { EnvironmentShape, ServiceShape } from './environment-schema.ts';
import {
  type AccessSpec,
  type CorsSpec,
  type FrontDoorSpec,
  type LimitsSpec,
  type OperationDoorSpec,
  type ServiceDoorSpec,
  type TlsSpec,
  usualBodyBytes,
} from './front-door.ts';
import type { AccessShape, CorsShape, LimitsShape, OperationDoorShape, TlsShape } from './front-door-schema.ts';
import { formatSize, parseSize } from './size.ts';

export function declareFrontDoor(gateway: EnvironmentShape['gateway']): FrontDoorSpec {
  const { tls, limits, metrics } = gateway ?? {};
  const log = gateway?.['access-log'];
  const trustedProxies = gateway?.['trusted-proxies'];
  const securityHeaders = gateway?.['security-headers'];
  const bodyBytes = bytesOf(limits?.body);
  return {
    ...(tls === undefined ? {} : { tls: declareTls(tls) }),
    ...(bodyBytes === undefined ? {} : { limits: { bodyBytes } }),
    ...(securityHeaders === undefined ? {} : { securityHeaders }),
    ...(log === undefined ? {} : { accessLog: { bytes: bytesOf(log.size) ?? usualLogBytes, keep: log.keep ?? 4 } }),
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    ...(metrics === undefined ? {} : { metrics: { address: metrics.address ?? '127.0.0.1', port: metrics.port } }),
  };
}

const usualLogBytes = 16 * 1024 * 1024;

function declareTls({ port, certificate, key, redirect = false, ...rest }: TlsShape): TlsSpec {
  const clientCa = rest['client-ca'];
  return { port, certificate, key, ...(clientCa === undefined ? {} : { clientCa }), redirect };
}

/** A service's part of it. */
export function declareServiceDoor({ access, limits, cors, operations }: ServiceShape): ServiceDoorSpec {
  const header = access?.['api-keys'] && (access['api-keys'].header ?? usualHeader);
  return {
    ...(access === undefined ? {} : { access: declareAccess(access) }),
    ...(limits === undefined ? {} : { limits: declareLimits(limits) }),
    ...(cors === undefined ? {} : { cors: declareCors(cors, header === undefined ? [] : [header]) }),
    ...(operations === undefined ? {} : { operations: operations.map(declareOperation) }),
  };
}

function declareOperation({ operation, access, open, limits }: OperationDoorShape): OperationDoorSpec {
  const [method = '', path = ''] = operation.split(' ');
  return {
    ...{ method, path },
    ...(access === undefined ? {} : { access: declareAccess(access) }),
    ...(open === undefined ? {} : { open }),
    ...(limits === undefined ? {} : { limits: declareLimits(limits) }),
  };
}

const usualHeader = 'X-API-Key';

function declareAccess({ basic, ...rest }: AccessShape): AccessSpec {
  const [keys, clientCertificate] = [rest['api-keys'], rest['client-certificate']];
  const clients = Object.entries(keys?.clients ?? {}).map(([name, hash]) => ({ name, sha256: hash.slice(7) }));
  return {
    ...(keys === undefined ? {} : { apiKeys: { header: keys.header ?? usualHeader, clients } }),
    ...(basic === undefined ? {} : { basicFile: basic }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
  };
}

function declareLimits({ rate, burst, body }: LimitsShape): LimitsSpec {
  const bodyBytes = bytesOf(body);
  const [count = '', per] = rate?.split('/') ?? [];
  const requests = Number(count);
  return {
    ...(per === 's' || per === 'm' ? { rate: { requests, per, burst: burst ?? requests } } : {}),
    ...(bodyBytes === undefined ? {} : { bodyBytes }),
  };
}

const allMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

function declareCors(cors: CorsShape, keyHeaders: string[]): CorsSpec {
  const { origins, methods = allMethods, headers, expose, credentials = false } = cors;
  const maxAge = cors['max-age'];
  return {
    origins: [...new Set(origins)],
    methods: [...new Set(methods)],
    headers: [...new Set(headers ?? ['Content-Type', ...keyHeaders])],
    expose: [...new Set(expose ?? ['X-Request-Id'])],
    credentials,
    maxAgeMs: (maxAge === undefined ? undefined : parseDuration(maxAge)) ?? 600_000,
  };
}

function bytesOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSize(text);
}

type Shapes = Pick<EnvironmentShape, 'gateway' | 'services'>;

export function brokenFrontDoor({ gateway, services }: Shapes): BrokenRule[] {
  const { tls } = gateway ?? {};
  const message =
    'key is the file of the certificate: keep the private key in a file of its own, readable by the gateway alone';
  return [
    ...(tls !== undefined && tls.key === tls.certificate
      ? [{ path: ['gateway', 'tls', 'key'], on: 'value' as const, message }]
      : []),
    ...Object.entries(services).flatMap(([name, service]) => brokenServiceDoor(name, service, gateway)),
  ];
}

function brokenServiceDoor(name: string, service: ServiceShape, gateway: EnvironmentShape['gateway']): BrokenRule[] {
  const { operations = [] } = service;
  const place = ['services', name];
  return [
    ...brokenRules(place, service, gateway),
    ...operations.flatMap((one, at) => [
      ...brokenRules([...place, 'operations', at], one, gateway),
      ...brokenOperation([...place, 'operations', at], one, service, operations.slice(0, at)),
    ]),
  ];
}

/** What holds for a service's access and limits and for those of its operations. */
function brokenRules(
  place: BrokenRule['path'],
  { access, limits }: Pick<ServiceShape, 'access' | 'limits'>,
  gateway: EnvironmentShape['gateway'],
): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const complain = (path: string[], on: BrokenRule['on'], message: string) =>
    broken.push({ path: [...place, ...path], on, message });
  if (access?.['client-certificate'] !== undefined && gateway?.tls?.['client-ca'] === undefined) {
    const message = 'client-certificate needs gateway.tls with a client-ca: what must certificates be signed by?';
    complain(['access', 'client-certificate'], 'key', message);
  }
  if (access?.['api-keys'] !== undefined && gateway?.mode === 'plain') {
    complain(['access', 'api-keys'], 'key', "api-keys need dynamic mode: leave out the gateway's mode: plain");
  }
  const most = bytesOf(gateway?.limits?.body) ?? usualBodyBytes;
  if ((bytesOf(limits?.body) ?? 0) > most) {
    const message = `body must be at most the gateway's, ${formatSize(most)}: raise body under limits of the gateway`;
    complain(['limits', 'body'], 'value', message);
  }
  return broken;
}

function brokenOperation(
  place: BrokenRule['path'],
  { operation, open }: OperationDoorShape,
  service: ServiceShape,
  before: readonly OperationDoorShape[],
): BrokenRule[] {
  // Names of parameters tell nothing apart.
  const shapeOf = (text: string) => text.replaceAll(/\{[^}]*\}/g, '{}');
  if (before.some((one) => shapeOf(one.operation) === shapeOf(operation))) {
    const message = `${operation} has a door of its own already`;
    return [{ path: [...place, 'operation'], on: 'value', message }];
  }
  if (!open || service.access !== undefined) return [];
  return [{ path: [...place, 'open'], on: 'key', message: 'open does nothing: the service has no access' }];
}
