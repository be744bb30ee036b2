/** The front door's part of the resolved environment, as /desired and the gateway's own memory hold it. */
import { z } from 'zod';
import type { TlsSpec } from '../../specs/front-door.ts';
import { shaped, text } from './shape.ts';

export const tlsSchema = shaped<TlsSpec>({
  port: z.int().min(1).max(65_535),
  certificate: text,
  key: text,
  clientCa: text.optional(),
  redirect: z.boolean(),
});
