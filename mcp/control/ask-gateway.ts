/** Asks the gateways' status pages what the registry does not hold: how the services' documents are. */
import { request } from 'undici';
import { z } from 'zod';
import type { TrafficReport } from '../../proxy-daemon/version-figures.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import type { DocumentWord } from '../view/why.ts';

const withinMs = 2000;
const statusPage = z.object({
  document: z.object({
    sources: z.array(
      z.object({
        service: z.string(),
        version: z.string(),
        state: z.enum(['fresh', 'stale', 'missing']),
        problem: z.string(),
        digest: z.string().optional(),
      }),
    ),
  }),
});

/** A service version's document as a gateway sees it. */
export interface SourceWord extends DocumentWord {
  service: string;
  /** sha256 of the document as it was read. */
  digest?: string;
}

/** The words of the first gateway that answers, for every service that has a document; null where none answers. */
export async function askDocuments(
  gateways: Pick<GatewayRecord, 'url'>[],
  signal: AbortSignal,
): Promise<SourceWord[] | null> {
  for (const gateway of gateways) {
    try {
      const url = new URL('/status.json', gateway.url);
      const { body } = await request(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]) });
      const { sources } = statusPage.parse(await body.json()).document;
      return sources.map(({ service, version, state, problem, digest }) => ({
        service,
        version,
        stale: state !== 'fresh',
        problem,
        digest,
      }));
    } catch {
      signal.throwIfAborted();
    }
  }
  return null;
}

const trafficPage = z.object({
  gateway: z.string(),
  at: z.number(),
  since: z.number(),
  versions: z.array(
    z.object({
      service: z.string(),
      version: z.string(),
      requests: z.number(),
      errors5xx: z.number(),
      mirrored: z
        .object({
          same: z.number(),
          differing: z.number(),
          failed: z.number(),
          leftOut: z.number(),
          // A gateway of a release before compares only statuses.
          conforming: z.number().default(0),
          deviating: z.number().default(0),
          example: z
            .object({
              at: z.number(),
              against: z.string(),
              operation: z.string(),
              status: z.number(),
              basis: z.enum(['document', 'answer']),
              where: z.string(),
              expected: z.string(),
              found: z.string(),
            })
            .optional(),
        })
        .optional(),
      others: z.object({ informational: z.number(), redirects: z.number(), errors4xx: z.number() }).optional(),
      retries: z.number(),
      latencyMs: z.object({ bounds: z.array(z.number()), counts: z.array(z.number()), sum: z.number() }),
    }),
  ),
  own: z.array(z.object({ service: z.string(), status: z.number(), answers: z.number() })).optional(),
  inFlight: z.array(z.object({ service: z.string(), endpoint: z.string(), requests: z.number() })),
  down: z.array(z.string()),
  uncounted: z.number(),
  watched: z
    .array(
      z.object({
        service: z.string(),
        operation: z.string(),
        requests: z.number(),
        since: z.number(),
        lastAt: z.number(),
      }),
    )
    .optional(),
});

/**
 * What a gateway has counted by service version since its nginx started, some seconds old at most (`at`); null where it does
 * not answer. A gateway in plain mode counts nothing: `since` is 0 then.
 */
export async function askTraffic(
  gateway: Pick<GatewayRecord, 'url'>,
  signal: AbortSignal,
): Promise<TrafficReport | null> {
  try {
    const url = new URL('/status/traffic.json', gateway.url);
    const { body } = await request(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]) });
    return trafficPage.parse(await body.json());
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

/** Whether the gateway answers at all. */
export async function isUp(gateway: Pick<GatewayRecord, 'url'>, signal: AbortSignal): Promise<boolean> {
  try {
    const url = new URL('/healthz', gateway.url);
    const { statusCode, body } = await request(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

/** Whether the gateway's merged document already holds what was read: it is published with the next generation. */
export async function servesDocuments(
  gateway: Pick<GatewayRecord, 'url'>,
  words: SourceWord[],
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const url = new URL('/openapi.json', gateway.url);
    const { body } = await request(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]) });
    const text = await body.text();
    return words.every(({ digest }) => digest !== undefined && text.includes(digest));
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
