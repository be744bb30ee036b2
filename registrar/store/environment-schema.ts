/** The resolved environment as /desired holds it. What people may write is checked in specs; this only checks the structure. */
import { z } from 'zod';
import type {
  Artifact,
  Environment,
  Flavor,
  GatewaySpec,
  HealthCheck,
  PoolSpec,
  Service,
  Version,
} from '../../specs/nouns.ts';
import { count, shaped, text } from './shape.ts';

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

export const versionSchema = shaped<Version>({
  version: text,
  count,
  weight: z.number().min(0).optional(),
  artifact: shaped<Artifact>({ url: text, sha256: text }).optional(),
  command: z.array(text),
  port: z.int().min(1).max(65_535),
  env: z.record(z.string(), text),
  health: healthSchema,
  digest: text,
});

const serviceSchema = shaped<Service>({
  name: text,
  route: text,
  document: text.optional(),
  config: configValues,
  onConfigChange,
  configSignal: configSignal.optional(),
  drainTimeoutMs: count,
  stopTimeoutMs: count,
  versions: z.array(versionSchema),
});

export const flavorSchema = shaped<Flavor>({ memoryBytes: count, cpus: z.int().min(1), diskBytes: count.optional() });

export const environmentSchema = shaped<Environment>({
  name: text,
  pool: shaped<PoolSpec>({ size: count, image: text, flavor: flavorSchema.optional() }),
  gateway: shaped<GatewaySpec>({ title: text, description: text }),
  services: z.array(serviceSchema),
});
