/** The table last served, kept on disk: a restarted daemon can tell a loss from a leaving, and shows what is served. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../registrar/clock.ts';
import { proxySchema } from '../registrar/store/environment-schema.ts';
import { foreignDialects } from '../specs/registries-schema.ts';
import { replaceFileInSlices } from './files.ts';
import type { GatewayPaths } from './nginx/paths.ts';
import { listJson } from './routes/list-json.ts';
import { emptyRouteTable, type RouteTable } from './routes/route-table.ts';

const instance = {
  path: z.string(),
  machine: z.string(),
  version: z.string(),
  address: z.string(),
  port: z.int(),
  zone: z.string().optional(),
};
const nullableText = z.string().nullable();
const dialect = z.enum(foreignDialects);
const foreign = z.object({ dialect, says: z.string(), factor: z.number() }).optional();

const tableSchema: z.ZodType<RouteTable> = z.object({
  routes: z.array(
    z.object({
      prefix: z.string(),
      service: z.string(),
      declared: z.boolean(),
      document: nullableText,
      versions: z.array(z.object({ version: z.string(), weight: z.number().nullable(), share: z.number() })),
      instances: z.array(
        z.object({
          ...instance,
          state: z.enum(['routed', 'held', 'lost', 'draining', 'idle']),
          weight: z.number(),
          dialect: dialect.optional(),
          says: z.string().optional(),
        }),
      ),
      proxy: proxySchema.optional(),
      drainTimeoutMs: z.number().optional(),
      holding: z.string(),
    }),
  ),
  rejected: z.array(z.object({ path: z.string(), reason: z.string() })),
  holding: z.string(),
  known: z.array(
    z.object({
      ...instance,
      service: z.string(),
      document: nullableText,
      declared: z.boolean(),
      missingSince: z.number().nullable(),
      foreign,
      missingAsOf: z.number().optional(),
    }),
  ),
});

/** An empty table where there is none or it can't be read: then nothing is known, and nothing is lost by it. */
export function loadLastGood(paths: GatewayPaths): RouteTable {
  try {
    return tableSchema.parse(JSON.parse(readFileSync(paths.memory, 'utf8')));
  } catch {
    return emptyRouteTable;
  }
}

/** Rejects where the disk is full; the file before it stays. Works between other things; resolves with the ms that took. */
export function saveLastGood(paths: GatewayPaths, table: RouteTable, clock: Clock): Promise<number> {
  return replaceFileInSlices(paths.memory, partsOf(table), clock);
}

function* partsOf({ routes, known, ...rest }: RouteTable): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"routes":`;
  yield* listJson(routes);
  yield ',"known":';
  yield* listJson(known);
  yield '}';
}
