/** How `sticky`, `override` and `split` are written below `proxy:`, what they mean, and the rules between them. */
import { z } from 'zod';
import type { BrokenRule } from './broken-rule.ts';
import { type ChoiceSpec, headerName, longestTemplate, pathTemplate, splitMethods, usualOverride } from './choice.ts';
import { isReservedHeader } from './front-door.ts';
import { didYouMean } from './near-miss.ts';
import { asWritten, map, whole } from './schema-parts.ts';

const stickyMessage = 'must be cookie, client, or header and a name such as header X-Tenant';
const overrideMessage = `must be true (the header ${usualOverride}), or the name of a header such as X-Try-Version`;
const operationMessage = `must be a method and a path such as GET /zones/{id}; methods are ${splitMethods.join(', ')}`;

/** Its header may be read by whoever wants to, but it must not be one that means something else to the gateway. */
const isFree = (name: string) => headerName.test(name) && !isReservedHeader(name);

const operation = z
  .string({ error: operationMessage })
  .max(longestTemplate, `must have at most ${longestTemplate} characters`)
  .refine((text) => {
    const [method = '', path = '', more] = text.split(' ');
    return more === undefined && splitMethods.some((one) => one === method) && pathTemplate.test(path);
  }, operationMessage);

const version = z
  .string({ error: 'must be a version' })
  .regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$/, 'must be a version such as 1.2.0')
  .meta(asWritten);

const split = map({
  operation: operation.describe('Such as GET /zones/{id}, the path as in the service’s own document.'),
  to: version.describe('One of the versions; where none of its instances serve, the weights decide.'),
  weight: whole(0, 100).describe(
    'Percent of the operation’s requests that go there. The rest goes by the other versions’ weights.',
  ),
});

/** Below `proxy:`. */
export const choiceShape = {
  sticky: z
    .string({ error: stickyMessage })
    .refine(
      (text) => text === 'cookie' || text === 'client' || (text.startsWith('header ') && isFree(text.slice(7))),
      stickyMessage,
    )
    .optional()
    .describe(
      'What keeps a client at its version while the weights stand: cookie (the gateway sets one), client (its address), or header NAME. Default: each request goes by the weights.',
    ),
  override: z
    .union([z.literal(true), z.string().refine((name) => name === usualOverride || isFree(name), overrideMessage)], {
      error: overrideMessage,
    })
    .optional()
    .describe(
      `Header by which testers name the version that is to answer, also one of weight 0: true for ${usualOverride}, or its name. Default: nobody can.`,
    ),
  split: z
    .array(split, { error: 'must be a list such as [{ operation: GET /zones, to: 1.3.0, weight: 10 }]' })
    .min(1, 'must not be empty')
    .max(50, 'must have at most 50 items')
    .optional()
    .describe('Operations whose traffic is shared out in another way than the rest. The first that fits counts.'),
  mirror: map({
    to: version.describe('One of the versions, also of weight 0.'),
    weight: whole(1, 100).describe('Percent of the requests that other versions answered.'),
  })
    .optional()
    .describe(
      'GET and HEAD requests are sent to this version too, after their callers have their answers; only the status of what it answers is compared, and counted (mcp gateway traffic). Not for gRPC, nor with access, limits, cors or operations.',
    ),
};

type Shape = { [K in keyof typeof choiceShape]?: z.infer<(typeof choiceShape)[K]> };

/** In the words of nouns.ts; what is not said is left out. */
export function declareChoice({ sticky, override, split: splits, mirror }: Shape): ChoiceSpec {
  return {
    ...(sticky === undefined ? {} : { sticky: declareSticky(sticky) }),
    ...(override === undefined ? {} : { override: override === true ? usualOverride : override }),
    ...(splits === undefined
      ? {}
      : {
          split: splits.map(({ operation, to, weight }) => {
            const [method = '', path = ''] = operation.split(' ');
            return { method, path, to, weight };
          }),
        }),
    ...(mirror === undefined ? {} : { mirror }),
  };
}

function declareSticky(text: string): NonNullable<ChoiceSpec['sticky']> {
  return text === 'cookie' || text === 'client' ? { by: text } : { by: 'header', name: text.slice('header '.length) };
}

/** As `declareChoice` was given it. */
export function choiceEntries({ sticky, override, split: splits, mirror }: ChoiceSpec): [string, unknown][] {
  return [
    ['sticky', sticky && (sticky.by === 'header' ? `header ${sticky.name}` : sticky.by)],
    ['override', override === usualOverride ? true : override],
    ['split', splits?.map(({ method, path, to, weight }) => ({ operation: `${method} ${path}`, to, weight }))],
    ['mirror', mirror],
  ];
}

/** Splits to versions that are not declared, and operations of which more than all is given away. */
export function brokenSplits(
  service: string,
  { split: splits = [] }: Shape,
  versions: readonly string[],
): BrokenRule[] {
  const pathOf = (at: number, key: string) => ['services', service, 'proxy', 'split', at, key];
  return splits.flatMap(({ operation, to, weight }, at): BrokenRule[] => {
    if (!versions.includes(to)) {
      const message = `no version "${to}" is declared${didYouMean(to, versions)}`;
      return [{ path: pathOf(at, 'to'), on: 'value', message }];
    }
    const before = splits.slice(0, at).filter((one) => one.operation === operation);
    if (before.some((one) => one.to === to)) {
      return [{ path: pathOf(at, 'to'), on: 'value', message: `${operation} is split to ${to} already` }];
    }
    const sum = before.reduce((all, one) => all + one.weight, weight);
    if (sum <= 100) return [];
    return [{ path: pathOf(at, 'weight'), on: 'value', message: `the weights of ${operation} are ${sum} percent` }];
  });
}

/** A mirror to a version that is not declared, or past a door: what ends there is not to reach an instance in a copy. */
export function brokenMirror(
  service: string,
  { mirror }: Shape,
  declared: {
    versions: Readonly<Record<string, unknown>>;
    access?: unknown;
    limits?: unknown;
    cors?: unknown;
    operations?: unknown;
    proxy?: { protocol?: string };
  },
): BrokenRule[] {
  if (mirror === undefined) return [];
  const path = ['services', service, 'proxy', 'mirror'];
  const other = (['access', 'limits', 'cors', 'operations'] as const).find((key) => declared[key] !== undefined);
  if (other) {
    return [
      {
        path,
        on: 'key',
        message: `mirror does not go with ${other}: what a door keeps must not get past it in a copy`,
      },
    ];
  }
  if (declared.proxy?.protocol === 'grpc')
    return [{ path, on: 'key', message: 'mirror does not go with protocol: grpc' }];
  const known = Object.keys(declared.versions);
  if (known.includes(mirror.to)) return [];
  return [
    {
      path: [...path, 'to'],
      on: 'value',
      message: `no version "${mirror.to}" is declared${didYouMean(mirror.to, known)}`,
    },
  ];
}
