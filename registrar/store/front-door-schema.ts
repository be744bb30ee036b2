/** The front door's part of the resolved environment, as /desired holds it. */
import { z } from 'zod';
import type {
  AccessLogSpec,
  AccessSpec,
  CorsSpec,
  LimitsSpec,
  MetricsSpec,
  OperationDoorSpec,
  TlsSpec,
} from '../../specs/front-door.ts';
import { count, shaped, text } from './shape.ts';

export const tlsSchema = shaped<TlsSpec>({
  port: z.int().min(1).max(65_535),
  certificate: text,
  key: text,
  clientCa: text.optional(),
  redirect: z.boolean(),
});

export const accessLogSchema = shaped<AccessLogSpec>({ bytes: count, keep: count });

export const metricsSchema = shaped<MetricsSpec>({ address: text, port: z.int().min(1).max(65_535) });

export const accessSchema = shaped<AccessSpec>({
  apiKeys: z.object({ header: text, clients: z.array(z.object({ name: text, sha256: text })) }).optional(),
  basicFile: text.optional(),
  clientCertificate: z.enum(['required', 'optional']).optional(),
});

export const limitsSchema = shaped<LimitsSpec>({
  rate: z.object({ requests: z.int().min(1), per: z.enum(['s', 'm']), burst: count }).optional(),
  bodyBytes: count.optional(),
});

export const operationDoorSchema = shaped<OperationDoorSpec>({
  method: text,
  path: text,
  access: accessSchema.optional(),
  open: z.literal(true).optional(),
  limits: limitsSchema.optional(),
});

export const corsSchema = shaped<CorsSpec>({
  origins: z.array(text),
  methods: z.array(text),
  headers: z.array(text),
  expose: z.array(text),
  credentials: z.boolean(),
  maxAgeMs: count,
});
