/** The resolved environment as /desired holds it. What people may write is checked in specs; this only checks the structure. */
import { z } from 'zod';
import type { OperationSplit } from '../../specs/choice.ts';
import type {
  AnalysisSettings,
  Artifact,
  Environment,
  Flavor,
  ForeignRegistry,
  ForeignService,
  GatewaySpec,
  HealthCheck,
  ImageSpec,
  PoolSpec,
  ProxySpec,
  RolloutSettings,
  Service,
  Version,
  WarmSpec,
} from '../../specs/nouns.ts';
import { foreignDialects } from '../../specs/registries-schema.ts';
import {
  accessLogSchema,
  accessSchema,
  corsSchema,
  limitsSchema,
  metricsSchema,
  operationDoorSchema,
  tlsSchema,
} from './front-door-schema.ts';
import { count, type Shape, shaped, text } from './shape.ts';

export const configValues = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
export const configSignal = z.enum(['SIGHUP', 'SIGUSR1', 'SIGUSR2']);
export const onConfigChange = z.enum(['restart', 'signal', 'none']);

const healthSchema = shaped<HealthCheck>({
  kind: z.enum(['http', 'tcp', 'command', 'none']),
  path: text.optional(),
  command: z.array(text).optional(),
  intervalMs: count,
  timeoutMs: count,
  rise: count,
  fall: count,
});

export const artifactSchema = shaped<Artifact>({ url: text, sha256: text });

export const versionSchema = shaped<Version>({
  version: text,
  count,
  weight: z.number().min(0).optional(),
  artifact: artifactSchema.optional(),
  command: z.array(text),
  port: z.int().min(1).max(65_535),
  env: z.record(z.string(), text),
  health: healthSchema,
  digest: text,
});

export const proxySchema = shaped<ProxySpec>({
  protocol: z.enum(['http', 'grpc']).optional(),
  connectTimeoutMs: count.optional(),
  sendTimeoutMs: count.optional(),
  readTimeoutMs: count.optional(),
  retries: count.optional(),
  retryBudget: z.number().min(0).optional(),
  retryNonIdempotent: z.boolean().optional(),
  markDownMs: count.optional(),
  slowStartMs: count.optional(),
  sticky: z
    .union([z.object({ by: z.enum(['cookie', 'client']) }), z.object({ by: z.literal('header'), name: text })])
    .optional(),
  override: text.optional(),
  split: z.array(shaped<OperationSplit>({ method: text, path: text, to: text, weight: z.number().min(0) })).optional(),
  mirror: z.object({ to: text, weight: z.number().min(0) }).optional(),
});

const share = z.union([count, text]);
const rolloutShape = z.object({
  surge: share,
  unavailable: share,
  batch: share,
  canary: share,
  minHealthyMs: count,
  healthyDeadlineMs: count,
  progressDeadlineMs: count,
  bakeMs: count,
  pauses: z.array(z.object({ at: share, forMs: count.nullable() })),
  undoMs: count,
  maxFailures: count,
  autoRollback: z.boolean(),
  analysis: shaped<AnalysisSettings>({
    minRequests: count,
    errorTolerance: z.number().min(0),
    slowTolerance: z.number().min(0),
    patienceMs: count,
  }).nullable(),
  allowBreaking: text.nullable(),
} satisfies Shape<RolloutSettings>);
export const rolloutSettingsSchema: z.ZodType<RolloutSettings> = rolloutShape;

const serviceSchema = shaped<Service>({
  name: text,
  priority: count.optional(),
  route: text,
  document: text.optional(),
  config: configValues,
  onConfigChange,
  configSignal: configSignal.optional(),
  drainTimeoutMs: count,
  stopTimeoutMs: count,
  proxy: proxySchema.optional(),
  after: z.array(text).optional(),
  access: accessSchema.optional(),
  limits: limitsSchema.optional(),
  cors: corsSchema.optional(),
  operations: z.array(operationDoorSchema).optional(),
  rollout: rolloutShape.partial().optional() as z.ZodType<Partial<RolloutSettings> | undefined>,
  image: text.optional(),
  warm: shaped<WarmSpec>({ ready: count, signal: configSignal.optional() }).optional(),
  versions: z.array(versionSchema),
});

const ofStep = { title: text, timeoutMs: count };
const imageSchema = shaped<ImageSpec>({
  name: text,
  base: z.enum(['minimal', 'debian']),
  packages: z.array(text),
  steps: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('run'), script: text, ...ofStep }),
      z.object({ kind: z.literal('puppet'), manifest: artifactSchema, ...ofStep }),
      z.object({
        kind: z.literal('copy'),
        content: artifactSchema,
        form: z.enum(['directory', 'file', 'program']),
        to: text,
        ...ofStep,
      }),
    ]),
  ),
  digest: text,
});

const foreignServiceSchema = shaped<ForeignService>({
  service: text,
  path: text,
  route: text.optional(),
  document: text.optional(),
  version: text,
  weight: z.number().min(0).optional(),
  endpoint: text.optional(),
});

const foreignRegistrySchema = shaped<ForeignRegistry>({
  dialect: z.enum(foreignDialects),
  connect: text.optional(),
  graceMs: count,
  services: z.array(foreignServiceSchema),
});

export const flavorSchema = shaped<Flavor>({ memoryBytes: count, cpus: z.int().min(1), diskBytes: count.optional() });

export const environmentSchema = shaped<Environment>({
  name: text,
  pool: shaped<PoolSpec>({
    size: count,
    image: text,
    flavor: flavorSchema.optional(),
    demand: z.object({ max: count, windowMs: count }).optional(),
    maxAgeMs: count.optional(),
    verify: z
      .object({
        diskFreeBytes: count,
        diskBytesPerSecond: count,
        memoryBytes: count,
        cpuMs: count,
        clockMs: count,
        registryMs: count,
        artifactStores: count,
      })
      .partial()
      .optional(),
  }),
  gateway: shaped<GatewaySpec>({
    title: text,
    description: text,
    largestDocumentBytes: count.optional(),
    registries: z.array(foreignRegistrySchema).optional(),
    mode: z.enum(['auto', 'dynamic', 'plain']).optional(),
    tls: tlsSchema.optional(),
    limits: z.object({ bodyBytes: count }).optional(),
    securityHeaders: z.boolean().optional(),
    trustedProxies: z.array(text).optional(),
    accessLog: accessLogSchema.optional(),
    metrics: metricsSchema.optional(),
  }),
  images: z.array(imageSchema).optional(),
  services: z.array(serviceSchema),
});
