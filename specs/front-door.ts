/** The gateway's front door as declared: what stands between callers and the services. Plain JSON, part of /desired. */

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

/** The gateway's settings of the front door; what is absent is not there, or as the gateway does by default. */
export interface FrontDoorSpec {
  tls?: TlsSpec;
}
