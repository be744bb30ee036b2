/**
 * The shape of an environment file, with the words that editors show and the messages people get. Durations are still
 * text here and defaults not filled in: parse-environment.ts does both. No issue uses zod's own wording.
 */
import { z } from 'zod';
import { choiceShape } from './choice-shape.ts';
import { frontDoorKeys, frontDoorShape, serviceDoorShape } from './front-door-schema.ts';
import { image, imageName, isTextOfImage } from './image-schema.ts';
import { registriesSchema } from './registries-schema.ts';
import { rolloutShape } from './rollout-shape.ts';
import { asWritten, choice, duration, longestText, map, name, size, text, truth, whole } from './schema-parts.ts';

/** How much one environment may declare. Counts beyond these are slips of the finger, not wishes. */
export const limits = {
  services: 2000,
  versionsOfService: 20,
  countOfVersion: 1000,
  instances: 20_000,
  poolSize: 1000,
  priority: 1000,
  variables: 200,
  textLength: longestText,
  images: 100,
} as const;

/** Paths at the gateway that are its own; a route may be neither one of these nor below it. */
export const gatewayPaths = ['/docs', '/openapi.json', '/openapi.yaml', '/status', '/healthz'] as const;

const httpPath = (example: string) =>
  z
    .string({ error: `must be a path such as ${example}` })
    .regex(/^(\/[A-Za-z0-9._~%=-]*)+$/, `must be a path such as ${example}`)
    .max(200, 'must have at most 200 characters')
    .refine((path) => !/\/\/|\/\.\.?(\/|$)/.test(path), 'must be a path without //, /./ or /../');

const command = z
  .array(text('must be text').min(1, 'must not be empty').meta(asWritten), {
    error: 'must be a list such as [node, server.js]',
  })
  .min(1, 'must not be empty')
  .max(100, 'must have at most 100 items');

const sha256 = z
  .string({ error: 'must be 64 lower-case hex digits' })
  .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits');

const artifact = map({
  directory: text('must be a path')
    .min(1, 'must not be empty')
    .optional()
    .describe('A directory beside this file; `mcp apply` packs it.'),
  file: text('must be a path')
    .min(1, 'must not be empty')
    .optional()
    .describe('A tar, gzipped tar or single file beside this file; needs sha256.'),
  url: z
    .string({ error: 'must be an http or https URL' })
    .refine(isPlainUrl, 'must be an http or https URL without user, password or #fragment')
    .optional()
    .describe('Where machines fetch a tar, gzipped tar or single file; needs sha256.'),
  sha256: sha256.optional().describe('Of the file or of what the URL gives, in lower-case hex.'),
})
  .superRefine((declared, context) => {
    const forms = [declared.directory, declared.file, declared.url].filter((form) => form !== undefined);
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    if (forms.length !== 1) complain('must have one of directory, file and url');
    else if (declared.directory !== undefined && declared.sha256 !== undefined)
      complain('must have no sha256: apply computes it for a directory');
    else if (declared.directory === undefined && declared.sha256 === undefined)
      complain('must have the sha256 of its file or url');
  })
  .meta({
    description: 'What a machine fetches before it starts the command: one of directory, file and url.',
    oneOf: [{ required: ['directory'] }, { required: ['file', 'sha256'] }, { required: ['url', 'sha256'] }],
  });

const healthMap = map({
  http: httpPath('/healthz').optional().describe('GET this path; an answer of 2xx or 3xx is healthy.'),
  tcp: z.literal(true, { error: 'must be true' }).optional().describe('Connect to the port.'),
  command: command.optional().describe('Run this in the artifact; exit code 0 is healthy.'),
  interval: duration(100, 3_600_000).optional().describe('From check to check. Default: 1s.'),
  timeout: duration(10, 600_000).optional().describe('The longest wait for an answer. Default: 500ms.'),
  rise: whole(1, 100).optional().describe('Passes in a row until healthy. Default: 1.'),
  fall: whole(1, 100).optional().describe('Failures in a row until unhealthy. Default: 3.'),
})
  .superRefine((declared, context) => {
    const kinds = [declared.http, declared.tcp, declared.command].filter((kind) => kind !== undefined);
    if (kinds.length > 1) context.addIssue({ code: 'custom', message: 'must have one of http, tcp and command' });
  })
  .meta({
    not: {
      anyOf: [
        ['http', 'tcp'],
        ['http', 'command'],
        ['tcp', 'command'],
      ].map((required) => ({ required })),
    },
  });

const health = z
  .union([z.literal('none'), healthMap], { error: 'must be none, or a map with one of http, tcp and command' })
  .describe('How an instance is found healthy. Default: { tcp: true }.');

const env = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'an environment variable must be of letters, digits and _')
      .regex(/^(?!(ADDRESS|HOST|PORT)$|MCP_)/, 'ADDRESS, HOST, PORT and MCP_... are set by MCP itself'),
    text('must be text').meta(asWritten),
    { error: 'must be a map (name: value)' },
  )
  .refine(
    (variables) => Object.keys(variables).length <= limits.variables,
    `must have at most ${limits.variables} entries`,
  )
  .describe('Environment variables of the command; taken as text, as written.');

const config = z
  .record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, 'a configuration key must be of letters, digits, - _ and .'),
    z.union(
      [
        text('must be text'),
        z.boolean(),
        z
          .number()
          .refine(
            (value) => !Number.isInteger(value) || Number.isSafeInteger(value),
            'must be a number that can be kept exactly: put it in quotes',
          ),
      ],
      { error: 'must be text, a number, true or false' },
    ),
    { error: 'must be a map (name: value)' },
  )
  .refine((values) => Object.keys(values).length <= limits.variables, `must have at most ${limits.variables} entries`)
  .describe('Configuration that the registry hands to every instance of the service.');

const shared = {
  command: command.optional().describe('What to run, as a list; its working directory is the unpacked artifact.'),
  port: whole(1, 65_535).optional().describe('The port the command listens on, at the address in $ADDRESS.'),
  env: env.optional(),
  health: health.optional(),
};

const weight = whole(0, 100);

const version = map({
  count: whole(0, limits.countOfVersion).describe('Instances wanted, healthy and registered.'),
  weight: weight
    .optional()
    .describe(
      "Share of the service's traffic, relative to its other versions' weights. Give all of them one, or none.",
    ),
  artifact: artifact.optional(),
  ...shared,
});

const proxy = map({
  protocol: choice(['http', 'grpc']).optional().describe('What its instances speak. Default: http.'),
  'connect-timeout': duration(10, 600_000).optional().describe('The longest wait for a connection. Default: 2s.'),
  'send-timeout': duration(100, 86_400_000)
    .optional()
    .describe('The longest pause in sending a request. Default: 60s.'),
  'read-timeout': duration(100, 86_400_000)
    .optional()
    .describe('The longest pause of an answer. Default: 60s; an hour for WebSockets and event streams.'),
  retries: whole(0, 10).optional().describe('Other instances tried after the first failed. Default: 2.'),
  'retry-budget': whole(0, 100)
    .optional()
    .describe('Further tries in percent of all requests; some a second are always allowed. Default: 20.'),
  'retry-non-idempotent': truth
    .optional()
    .describe('Whether a POST, PATCH or LOCK that was sent may be tried again elsewhere. Default: false.'),
  'mark-down': duration(0, 600_000)
    .optional()
    .describe('How long an instance at which requests fail is passed over. Default: 5s.'),
  'slow-start': duration(0, 600_000)
    .optional()
    .describe('How long a new instance takes to get its full share. Default: 3s.'),
  ...choiceShape,
}).describe('How the gateway talks to its instances (in dynamic mode).');

const warm = z
  .union(
    [
      truth,
      map({
        ready: whole(0, 100)
          .optional()
          .describe('Machines with it already started that are kept ready, of each version. Default: 1.'),
        signal: choice(['SIGHUP', 'SIGUSR1', 'SIGUSR2'])
          .optional()
          .describe('Sent to it when its machine is claimed and MCP_IDENTITY_FILE is there. Default: none.'),
      }),
    ],
    { error: 'must be true, false, or a map with ready and signal' },
  )
  .describe(
    'Whether its instances come from machines that were cloned with it already started. Only virtual machines can. Default: false.',
  );

const demandSize = map({
  min: whole(0, limits.poolSize).describe('Ready machines kept where nothing was claimed lately.'),
  max: whole(1, limits.poolSize).describe('Ready machines kept at most.'),
  window: duration(60_000, 21_600_000)
    .optional()
    .describe(
      'The pool holds what was claimed at most within any time as long as this, in the last six of them. Default: 10m.',
    ),
}).superRefine(({ min, max }, context) => {
  if (min > max) context.addIssue({ code: 'custom', message: 'must be at most max', path: ['min'] });
});

const verify = map({
  'disk-free': size(0, 1024 ** 4)
    .optional()
    .describe('Free space where the machine works, at least. Default: 8MiB.'),
  'disk-speed': size(0, 1024 ** 4)
    .optional()
    .describe('Written, synced and read back a second, at least. Default: 64KiB.'),
  memory: size(0, 1024 ** 4)
    .optional()
    .describe('Memory that can still be had, at least. Default: 16MiB.'),
  cpu: duration(1, 600_000).optional().describe('A fixed piece of work takes at most this. Default: 30s.'),
  clock: duration(1, 3_600_000)
    .optional()
    .describe("Its clock and the registry's differ by at most this. Default: 30s."),
  registry: duration(1, 600_000).optional().describe('A round trip to the registry takes at most this. Default: 10s.'),
  'artifact-stores': whole(0, 100)
    .optional()
    .describe('Artifact stores that it must reach, of those that its services use. Default: 1.'),
}).describe('What a machine must show of itself before it may enter the pool.');
const route = z
  .string({ error: 'must be a path such as /dns' })
  .regex(/^(\/[a-z0-9][a-z0-9._-]{0,39}){1,5}$/, 'must be a path such as /dns: up to 5 parts of a-z, 0-9, . _ and -');

const versionName = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$/, 'a version must be 1 to 40 of letters, digits, . and -, such as 1.2.0');

const service = map({
  route: route
    .optional()
    .describe(
      "URL prefix at the gateway, taken off before the request reaches the service. Default: / and the service's name.",
    ),
  document: httpPath('/openapi.json').optional().describe('Where an instance serves its OpenAPI or Swagger document.'),
  priority: whole(0, limits.priority)
    .optional()
    .describe('Where ready machines are short, services of a higher priority get them first. Default: 0.'),
  config: config.optional(),
  'on-config-change': choice(['restart', 'none', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'])
    .optional()
    .describe('What a change of config does to running instances: restart (the default), nothing, or a signal.'),
  'drain-timeout': duration(0, 3_600_000)
    .optional()
    .describe('The longest wait for requests in flight before an instance is stopped. Default: 30s.'),
  'stop-timeout': duration(0, 600_000).optional().describe('From SIGTERM to SIGKILL. Default: 5s.'),
  proxy: proxy.optional(),
  ...serviceDoorShape,
  image: imageName.optional().describe("What this service's machines are cloned from. Default: the pool's image."),
  warm: warm.optional(),
  ...shared,
  after: z
    .array(name('a service name'), { error: 'must be a list of service names, such as [dns]' })
    .min(1, 'must name at least one service')
    .max(limits.services, `must name at most ${limits.services} services`)
    .optional()
    .describe('Where one apply changes versions of several services: those that are rolled out before this one.'),
  rollout: rolloutShape
    .optional()
    .describe('How one version takes the place of another with `mcp upgrade`, and by stages with `mcp apply`.'),
  versions: z
    .record(versionName, version, { error: 'must be a map (version: what runs)' })
    .describe('The versions that run side by side.'),
});

const [mebibyte, gibibyte] = [1024 ** 2, 1024 ** 3];

const flavor = map({
  memory: size(128 * mebibyte, 1024 * gibibyte)
    .optional()
    .describe('Memory of a machine. Default: 256MiB.'),
  cpus: whole(1, 128).optional().describe('Processors of a machine. Default: 1.'),
  disk: size(16 * mebibyte, 16_384 * gibibyte)
    .optional()
    .describe('A disk of its own, gone with the machine. Default: none; what a service writes is kept in memory.'),
}).describe('The size of a virtual machine; processes have none.');

/** What an environment file may hold. Rules between its parts are in environment-rules.ts. */
export const environmentSchema = map({
  environment: name('an environment name').describe('Name of the environment.'),
  pool: map({
    size: z
      .union([whole(0, limits.poolSize), demandSize], {
        error: `must be a whole number from 0 to ${limits.poolSize}, or a map with min and max`,
      })
      .optional()
      .describe('Ready machines kept: a number, or a map with min and max to follow recent demand. Default: 1.'),
    'max-age': duration(60_000, 31_536_000_000)
      .optional()
      .describe('Ready machines older than this are replaced, one at a time. Default: never.'),
    verify: verify.optional(),
    image: imageName
      .optional()
      .describe('What machines are cloned from. Default: process (a process group instead of a VM).'),
    flavor: flavor.optional(),
  })
    .optional()
    .describe('Machines kept ready to be claimed.'),
  gateway: map({
    title: text('must be text', 200)
      .min(1, 'must not be empty')
      .optional()
      .describe("The merged document's title. Default: the environment's name."),
    description: text('must be text').optional().describe("The merged document's description."),
    'largest-document': size(1024, 64 * mebibyte)
      .optional()
      .describe("A service's document larger than this is not read. Default: 2MiB."),
    registries: registriesSchema({
      ...{ map, choice, duration, httpPath, name, route, weight },
      versionName: versionName.meta(asWritten),
    })
      .optional()
      .describe('Registries of other software, whose instances the gateway serves too.'),
    mode: choice(['auto', 'dynamic', 'plain'])
      .optional()
      .describe(
        'How nginx is fed: dynamic without reloads, plain by files. Default: auto, dynamic where nginx has Lua.',
      ),
    ...frontDoorShape,
  })
    .optional()
    .describe('The gateway in front of all services.'),
  images: z
    .record(name('an image name'), image, { error: 'must be a map (image name: image)' })
    .refine((images) => Object.keys(images).length <= limits.images, `must have at most ${limits.images} entries`)
    .optional()
    .describe('What machines can be cloned from, by name; `mcp up` and `mcp image bake` bake it.'),
  services: z
    .record(name('a service name'), service, { error: 'must be a map (service name: service)' })
    .describe('The services, by name.'),
}).describe('What an environment runs, declared for mcp plan and mcp apply.');

/** An environment file's content, shape checked. */
export type EnvironmentShape = z.infer<typeof environmentSchema>;
export type ServiceShape = EnvironmentShape['services'][string];
export type VersionShape = ServiceShape['versions'][string];
export type VerifyShape = NonNullable<NonNullable<EnvironmentShape['pool']>['verify']>;
export type FlavorShape = NonNullable<NonNullable<EnvironmentShape['pool']>['flavor']>;
export type HealthShape = NonNullable<VersionShape['health']>;
export type WarmShape = NonNullable<ServiceShape['warm']>;
export type ProxyShape = NonNullable<ServiceShape['proxy']>;
export type ImageShape = NonNullable<EnvironmentShape['images']>[string];
export type ArtifactShape = NonNullable<VersionShape['artifact']>;

/**
 * The scalars which are text whatever they look like: `[node, server.js, 8080]` and `env: { LEVEL: 1.10 }` mean what is
 * written. Numbers everywhere else are numbers.
 */
export function isAlwaysText(path: readonly (string | number)[]): boolean {
  if (path[0] === 'environment') return true;
  if (path[0] === 'images') return isTextOfImage(path.slice(2));
  if (path[0] === 'gateway') {
    return !frontDoorKeys.includes(String(path[1])) && (path[1] !== 'registries' || path.at(-1) !== 'weight');
  }
  const ofService = path.slice(2);
  if (ofService[0] === 'proxy' && (ofService[1] === 'split' || ofService[1] === 'mirror'))
    return ofService.at(-1) === 'to';
  const [group, kind] = ofService[0] === 'versions' ? ofService.slice(2) : ofService;
  return group === 'env' || group === 'command' || group === 'artifact' || (group === 'health' && kind === 'command');
}

function isPlainUrl(value: string): boolean {
  // URL.parse never throws; only what it leaves unchanged in sense is wanted: no spaces, no control characters.
  const url = /^[\x21-\x7e]{1,2000}$/.test(value) ? URL.parse(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false;
  return url.username === '' && url.password === '' && url.hash === '' && !value.includes('#');
}

/** The JSON Schema that editors use for environment files; committed as specs/environment.schema.json. */
export function environmentJsonSchema(): object {
  return {
    title: 'MCP environment',
    ...z.toJSONSchema(environmentSchema, { target: 'draft-7', io: 'input' }),
  };
}
