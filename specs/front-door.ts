/** The gateway's front door as declared: what stands between callers and the services. Plain JSON, part of /desired. */
import { longestTemplate, pathTemplate, splitMethods } from './choice.ts';

/** HTTPS and HTTP/2 on a port of their own. Files are the gateway's machine's own, PEM, absolute paths; keys are never in the registry. */
export interface TlsSpec {
  port: number;
  /** The gateway's certificate, followed by those between it and its root. */
  certificate: string;
  key: string;
  /** What clients' certificates must be signed by; absent: clients are asked for none. */
  clientCa?: string;
  /** The HTTP port sends requests for services on to HTTPS. */
  redirect: boolean;
}

/** Whom the gateway lets through to a service. API keys and passwords exclude each other; a certificate is asked for beside them. */
export interface AccessSpec {
  /** Needs dynamic mode. */
  apiKeys?: {
    /** Name of the request header that carries the key. */
    header: string;
    /** Names of the clients, and the sha256 of each one's key, lower-case hex. */
    clients: { name: string; sha256: string }[];
  };
  /** An htpasswd file of the gateway's machine: absolute path. */
  basicFile?: string;
  /** Signed by the gateway's `clientCa`. */
  clientCertificate?: 'required' | 'optional';
}

export interface LimitsSpec {
  /** Requests of one client (API key, else address) in a second or a minute, and how many may come at once beyond that. */
  rate?: { requests: number; per: 's' | 'm'; burst: number };
  bodyBytes?: number;
}

/** Which pages of other origins may call a service. */
export interface CorsSpec {
  /** `https://app.example`, or `*` alone. */
  origins: string[];
  methods: string[];
  /** Request headers beyond those always allowed, and answer headers that pages may read. */
  headers: string[];
  expose: string[];
  credentials: boolean;
  maxAgeMs: number;
}

/** Some of a service's requests. */
export interface DoorOperation {
  /** One of `doorMethods`. HEAD is GET's too, unless it has an entry of its own. */
  method: string;
  /** Behind the service's route: `/zones/{id}`, or `/admin/**` for that path and all below it. */
  path: string;
}

/** A door of their own for them: what it does not say is as the service says. */
export interface OperationDoorSpec extends DoorOperation {
  access?: AccessSpec;
  /** Everybody is let through, whatever the service asks for. */
  open?: true;
  limits?: LimitsSpec;
}

/** A service's settings of the front door. */
export interface ServiceDoorSpec {
  access?: AccessSpec;
  limits?: LimitsSpec;
  cors?: CorsSpec;
  operations?: OperationDoorSpec[];
}

export const doorMethods: readonly string[] = [...splitMethods, 'ANY'];

/** At most one parameter a segment: so that no path takes long to be held against it. */
export function isDoorPath(path: string): boolean {
  const above = path.endsWith('/**') ? path.slice(0, -3) : path;
  return (
    path.length <= longestTemplate &&
    (above === '' ? path !== '' : pathTemplate.test(above)) &&
    !above.includes('//') &&
    above.split('/').every((segment) => segment.split('{').length <= 2)
  );
}

/** One JSON object a request, in files that never grow beyond these bounds. */
export interface AccessLogSpec {
  /** A file is put aside when it is larger, bytes. */
  bytes: number;
  /** Files kept beside the current one. */
  keep: number;
}

/** Where Prometheus finds the gateway's metrics, at /metrics: a listener of its own. */
export interface MetricsSpec {
  address: string;
  port: number;
}

/** The gateway's settings of the front door; what is absent is not there, or as the gateway does by default. */
export interface FrontDoorSpec {
  tls?: TlsSpec;
  /** The largest body of a request, for all services. Absent: 16 MiB. */
  limits?: { bodyBytes: number };
  /** Absent: where there is TLS. */
  securityHeaders?: boolean;
  accessLog?: AccessLogSpec;
  metrics?: MetricsSpec;
  /** Proxies before the gateway, as networks: whose X-Forwarded-For is believed. Absent: nobody's. */
  trustedProxies?: string[];
}

/** Where the gateway says nothing, bytes. */
export const usualBodyBytes = 16 * 1024 * 1024;

/** Request headers that no API key can be in: others need them, or set them. */
export function isReservedHeader(name: string): boolean {
  return /^(authorization|cookie|host|connection|upgrade|te|trailer|expect|origin|range|accept.*|content-.*|transfer-.*|if-.*|proxy-.*|sec-.*|access-.*|x-request-id|x-forwarded-.*|x-mcp-.*)$/i.test(
    name,
  );
}
