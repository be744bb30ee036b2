/** Asks the gateways' status pages what the registry does not hold: how the services' documents are. */
import { request } from 'undici';
import { z } from 'zod';
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
      }),
    ),
  }),
});

/** The words of the first gateway that answers; null where none does. */
export async function askDocuments(
  gateways: GatewayRecord[],
  service: string,
  signal: AbortSignal,
): Promise<DocumentWord[] | null> {
  for (const gateway of gateways) {
    try {
      const url = new URL('/status.json', gateway.url);
      const { body } = await request(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]) });
      const page = statusPage.parse(await body.json());
      return page.document.sources
        .filter((source) => source.service === service)
        .map(({ version, state, problem }) => ({ version, stale: state !== 'fresh', problem }));
    } catch {
      signal.throwIfAborted();
    }
  }
  return null;
}
