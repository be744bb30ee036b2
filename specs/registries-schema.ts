/** `gateway.registries`: where other software registers its instances, and which of them the gateway serves. */
import { z } from 'zod';

/** What the environment's schema is made of, handed in so that the same words mean the same everywhere. */
interface SchemaParts {
  map: <Shape extends z.ZodRawShape>(shape: Shape) => z.ZodObject<Shape, z.core.$strict>;
  choice: <const Words extends readonly [string, ...string[]]>(
    words: Words,
  ) => z.ZodEnum<{ [Word in Words[number]]: Word }>;
  duration: (leastMs: number, mostMs: number) => z.ZodType<string, string>;
  httpPath: (example: string) => z.ZodType<string, string>;
  name: (what: string) => z.ZodType<string, string>;
  route: z.ZodType<string, string>;
  versionName: z.ZodType<string, string>;
  weight: z.ZodType<number, number>;
}

export const foreignDialects = ['curator', 'nerve', 'serverset'] as const;

/** How much one environment may take over from others. */
const foreignLimits = { registries: 20, servicesOfRegistry: 500 } as const;

const part = '(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~:@+-]+';
const isHosts = (text: string) =>
  text
    .split(',')
    .every((host) => /^(?:[A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9a-fA-F:.]{2,45}\])(?::[1-9]\d{0,4})?$/.test(host));

export function registriesSchema(parts: SchemaParts) {
  const { map, choice, duration, httpPath, name, route, versionName, weight } = parts;
  const service = map({
    at: z
      .string({ error: 'must be a path below the registry’s, such as payment-service' })
      .regex(new RegExp(`^${part}(?:/${part})*$`), 'must be a path below the registry’s, such as payment-service')
      .max(500, 'must have at most 500 characters')
      .optional()
      .describe(
        "Where below the registry's path its instances register. Default: the service's name; for nerve NAME/services.",
      ),
    route: route
      .optional()
      .describe(
        "URL prefix at the gateway. Default: / and the service's name. Not for a service that is declared too.",
      ),
    document: httpPath('/openapi.json')
      .optional()
      .describe('Where its instances serve their OpenAPI document. Not for a service that is declared too.'),
    version: versionName.optional().describe('What its instances are called as a version. Default: the dialect.'),
    weight: weight
      .optional()
      .describe(
        "Share of the service's traffic, relative to its other versions' weights. Give all of them one, or none.",
      ),
    endpoint: z
      .string({ error: 'must be the name of an additional endpoint' })
      .regex(/^[A-Za-z0-9._-]{1,80}$/, 'must be the name of an additional endpoint')
      .optional()
      .describe('Only for serverset: the additional endpoint to use. Default: the service endpoint.'),
  });
  const registry = map({
    dialect: choice(foreignDialects).describe('How its registrants write.'),
    path: z
      .string({ error: 'must be an absolute path such as /services' })
      .regex(new RegExp(`^(?:/|(?:/${part})+)$`), 'must be an absolute path such as /services')
      .max(500, 'must have at most 500 characters')
      .describe("ZooKeeper path that its services register below: from ZooKeeper's own root, not from MCP's."),
    connect: z
      .string({ error: 'must be host:port,host:port without a path' })
      .refine(isHosts, 'must be host:port,host:port without a path')
      .max(2000, 'must have at most 2000 characters')
      .optional()
      .describe('Another ZooKeeper ensemble. Default: the one MCP itself uses.'),
    grace: duration(0, 60_000)
      .optional()
      .describe(
        'An instance that vanishes stays routed for this long, since many clients come back at once. Default: 2s.',
      ),
    services: z
      .record(name('a service name'), service, { error: 'must be a map (service name: where and how)' })
      .refine(
        (services) => Object.keys(services).length <= foreignLimits.servicesOfRegistry,
        `must have at most ${foreignLimits.servicesOfRegistry} entries`,
      )
      .describe(
        'What of it is served, by the name that it gets here. A declared service gets these instances beside its own.',
      ),
  });
  return z
    .array(registry, { error: 'must be a list of registries' })
    .max(foreignLimits.registries, `must have at most ${foreignLimits.registries} items`);
}

type RegistryShape = z.infer<ReturnType<typeof registriesSchema>>[number];
export type ForeignServiceShape = RegistryShape['services'][string];
