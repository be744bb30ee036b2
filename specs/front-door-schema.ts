/** The shape of the front door in an environment file. Rules between its parts are in declare-front-door.ts. */
import { z } from 'zod';
import { doorMethods, isDoorPath, isReservedHeader } from './front-door.ts';
import { isNetwork } from './network.ts';
import { choice, duration, map, name, size, text, truth, whole } from './schema-parts.ts';

const localFile = (example: string) =>
  text(`must be an absolute path such as ${example}`).regex(
    /^\/.*[^/]$/,
    `must be an absolute path such as ${example}`,
  );

const tls = map({
  port: whole(1, 65_535).describe('Port for HTTPS (HTTP/1.1 and HTTP/2), at the address of the HTTP port.'),
  certificate: localFile('/etc/mcp/site.pem').describe(
    "The gateway's certificate and those between it and its root, PEM; a file of the gateway's machine, read again when it changes.",
  ),
  key: localFile('/etc/mcp/site.key').describe(
    "The certificate's private key, PEM without a passphrase; a file of the gateway's machine. It never leaves it.",
  ),
  'client-ca': localFile('/etc/mcp/clients.pem')
    .optional()
    .describe("Certificates that clients' certificates must be signed by, PEM. Default: clients are asked for none."),
  redirect: truth.optional().describe('Whether the HTTP port sends requests for services on to HTTPS. Default: false.'),
}).describe('HTTPS and HTTP/2.');

const [kibibyte, gibibyte] = [1024, 1024 ** 3];

const body = size(kibibyte, 64 * gibibyte);

const ipAddress = z
  .string({ error: 'must be an IPv4 address such as 127.0.0.1' })
  .regex(/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/, 'must be an IPv4 address such as 127.0.0.1');

const accessLog = map({
  size: size(64 * kibibyte, 16 * gibibyte)
    .optional()
    .describe('A file is put aside when it is larger. Default: 16MiB.'),
  keep: whole(0, 100).optional().describe('Files kept beside the current one. Default: 4.'),
}).describe(
  'A line of JSON for each request, in logs/access.log of the gateway; `mcp gateway log` shows it. Default: none.',
);

const metrics = map({
  address: ipAddress.optional().describe('Where it listens. Default: 127.0.0.1, for this machine alone.'),
  port: whole(1, 65_535).describe('Port of its own, never that of the services.'),
}).describe('Metrics for Prometheus at /metrics. Default: none.');

const networkWords = 'must be a network such as 10.0.0.0/8 or an address, and not all of the internet';
const network = z.string({ error: networkWords }).refine(isNetwork, networkWords);

/** What the gateway's part of an environment file may hold of the front door. */
export const frontDoorShape = {
  tls: tls.optional(),
  limits: map({ body: body.optional().describe('The largest body of a request. Default: 16MiB.') })
    .optional()
    .describe('Limits of all requests.'),
  'security-headers': truth
    .optional()
    .describe(
      'Whether answers get X-Content-Type-Options, X-Frame-Options, Referrer-Policy and, where HTTP is sent on to HTTPS, Strict-Transport-Security, each where the service did not set it. Default: with tls.',
    ),
  'access-log': accessLog.optional(),
  metrics: metrics.optional(),
  'trusted-proxies': z
    .array(network, { error: 'must be a list of networks such as 10.0.0.0/8' })
    .min(1, 'must not be empty')
    .max(100, 'must have at most 100 items')
    .optional()
    .describe(
      "Proxies before the gateway, by network: their word (X-Forwarded-For) of who the client is counts for stickiness, rates and the log. Default: nobody's.",
    ),
};

const headerName = (example: string) =>
  z
    .string({ error: `must be the name of a header such as ${example}` })
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, `must be the name of a header such as ${example}`);

const limits = { clients: 500, origins: 100, list: 50 } as const;

const clients = z
  .record(
    name('a client name'),
    z
      .string({ error: 'must be sha256: and 64 lower-case hex digits, as `mcp gateway key` prints it' })
      .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 lower-case hex digits, as `mcp gateway key` prints it'),
    { error: 'must be a map (client name: sha256 of its key)' },
  )
  .refine((all) => Object.keys(all).length > 0, 'must not be empty: nobody could get in')
  .refine((all) => Object.keys(all).length <= limits.clients, `must have at most ${limits.clients} entries`)
  .refine((all) => new Set(Object.values(all)).size === Object.keys(all).length, 'must not name one key twice');

const access = map({
  'api-keys': map({
    header: headerName('X-API-Key')
      .refine((header) => !isReservedHeader(header), 'must be a header that nothing else uses, such as X-API-Key')
      .optional()
      .describe('The request header that carries the key. Default: X-API-Key.'),
    clients: clients.describe('Clients by name, each with the sha256 of its key; keys themselves are nowhere.'),
  })
    .optional()
    .describe(
      'Let through whoever sends a key of one of these clients; `mcp gateway key` makes one. Needs dynamic mode.',
    ),
  basic: localFile('/etc/mcp/users.htpasswd')
    .optional()
    .describe("Let through whoever sends a user and password of this htpasswd file of the gateway's machine."),
  'client-certificate': choice(['required', 'optional'])
    .optional()
    .describe(
      "A certificate that the gateway's client-ca signed; its subject reaches the service as X-MCP-Client-Subject.",
    ),
})
  .superRefine((declared, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    const isEmpty = Object.values(declared).every((one) => one === undefined);
    // A key that is unknown was told already.
    if (isEmpty && context.issues.length === 0) complain('must have one of api-keys, basic and client-certificate');
    if (declared['api-keys'] && declared.basic !== undefined) complain('must have one of api-keys and basic');
  })
  .describe('Whom the gateway lets through to the service. Default: everybody.');

const rate = z
  .string({ error: 'must be requests a second or a minute, such as 100/s or 30/m' })
  .regex(/^[1-9]\d{0,5}\/[sm]$/, 'must be requests a second or a minute, such as 100/s or 30/m');

const serviceLimits = map({
  rate: rate.optional().describe('Requests of one client: by its API key, else by its address. More get 429.'),
  burst: whole(0, 100_000)
    .optional()
    .describe('Requests that may come at once beyond the rate. Default: the number of the rate.'),
  body: body.optional().describe("The largest body of a request, at most the gateway's. Default: the gateway's."),
})
  .superRefine((declared, context) => {
    if (declared.burst !== undefined && declared.rate === undefined)
      context.addIssue({ code: 'custom', message: 'must have a rate where it has a burst' });
  })
  .describe('Limits of requests to the service.');

const list = <Item extends z.ZodType>(item: Item, what: string, most: number = limits.list) =>
  z.array(item, { error: `must be a list of ${what}` }).max(most, `must have at most ${most} items`);

const origin = z
  .string({ error: 'must be an origin such as https://app.example, or *' })
  .regex(
    /^(?:\*|https?:\/\/[a-z0-9.-]{1,253}(?::[1-9]\d{0,4})?)$/,
    'must be an origin such as https://app.example, or *',
  );

const cors = map({
  origins: list(origin, 'origins', limits.origins)
    .min(1, 'must not be empty')
    .describe('Origins whose pages may call the service, such as https://app.example; or * for all.'),
  methods: list(choice(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']), 'methods')
    .optional()
    .describe('Methods that they may use. Default: all of GET, HEAD, POST, PUT, PATCH and DELETE.'),
  headers: list(headerName('Content-Type'), 'header names')
    .optional()
    .describe('Request headers that they may send. Default: Content-Type, and the header of the API key.'),
  expose: list(headerName('X-Total'), 'header names')
    .optional()
    .describe('Answer headers that they may read beyond the usual ones. Default: X-Request-Id.'),
  credentials: truth.optional().describe('Whether cookies and passwords may be sent along. Default: false.'),
  'max-age': duration(0, 86_400_000).optional().describe('How long a browser may remember this. Default: 10m.'),
})
  .superRefine((declared, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    if (declared.origins?.includes('*') && declared.origins.length > 1)
      complain('must have either * or origins by name');
    if (declared.origins?.includes('*') && declared.credentials)
      complain('must name its origins where credentials are allowed');
  })
  .describe('Which pages of other origins may call the service; the gateway answers the preflight requests.');

const operationWords = `must be a method and a path such as POST /zones/{id} or ANY /admin/**; methods are ${doorMethods.join(', ')}`;

const operationDoor = map({
  operation: z
    .string({ error: operationWords })
    .refine((text) => {
      const [method = '', path = '', more] = text.split(' ');
      return more === undefined && doorMethods.includes(method) && isDoorPath(path);
    }, operationWords)
    .describe('Such as GET /zones/{id} or ANY /admin/**, the path as behind the route. The most exact one counts.'),
  access: access.optional().describe("Whom the gateway lets through to it. Default: the service's access."),
  open: z
    .literal(true, { error: 'must be true' })
    .optional()
    .describe("Lets everybody through, whatever the service's access asks for."),
  limits: serviceLimits.optional().describe("Limits of its own. Default, each: the service's."),
}).superRefine(({ access: own, open, limits: least }, context) => {
  const complain = (message: string) => context.addIssue({ code: 'custom', message });
  if (own !== undefined && open) complain('must have one of access and open');
  const isEmpty = own === undefined && open === undefined && Object.keys(least ?? {}).length === 0;
  if (isEmpty && context.issues.length === 0) complain('must have one of access, open and limits');
});

/** What a service's part of an environment file may hold of the front door. */
export const serviceDoorShape = {
  access: access.optional(),
  limits: serviceLimits.optional(),
  cors: cors.optional(),
  operations: list(operationDoor, 'operations such as [{ operation: POST /zones, limits: { rate: 10/m } }]')
    .min(1, 'must not be empty')
    .optional()
    .describe('Operations with access or limits of their own; what they do not say is as the service says.'),
};

export type AccessShape = z.infer<typeof access>;
export type LimitsShape = z.infer<typeof serviceLimits>;
export type CorsShape = z.infer<typeof cors>;
export type OperationDoorShape = z.infer<typeof operationDoor>;

/** Keys of the gateway whose values are not text whatever they look like. */
export const frontDoorKeys: readonly string[] = Object.keys(frontDoorShape);

export type TlsShape = z.infer<typeof tls>;
