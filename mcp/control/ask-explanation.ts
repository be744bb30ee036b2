/** Asks a gateway where a request would go, and why. */
import { request } from 'undici';
import { z } from 'zod';
import type { Explanation } from '../../proxy-daemon/routes/explain/explanation.ts';
import type { Question } from '../../proxy-daemon/routes/explain/question.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import { McpError } from '../../specs/errors.ts';

const withinMs = 5000;
/** It is made by the same release as this; that it is one at all is what may not hold. */
const explanation = z.looseObject({ gateway: z.string(), outcome: z.looseObject({ kind: z.string() }) });
const refusal = z.object({ error: z.object({ code: z.literal('EXPLAIN_QUESTION'), message: z.string() }) });

/**
 * The first gateway's answer that is one. Throws GATEWAY_SILENT where none explains (its daemon may be gone while it serves), and
 * EXPLAIN_QUESTION where a gateway finds the question wrong.
 */
export async function askExplanation(
  gateways: readonly Pick<GatewayRecord, 'url'>[],
  { method, path, headers }: Question,
  signal: AbortSignal,
): Promise<Explanation> {
  const query = new URLSearchParams({ path, method });
  for (const [name, value] of headers) query.append('header', `${name}: ${value}`);
  for (const { url } of gateways) {
    const answer = await ask(new URL(`/status/explain?${query}`, url), signal);
    const refused = refusal.safeParse(answer);
    if (refused.success) throw new McpError('EXPLAIN_QUESTION', refused.data.error.message);
    if (explanation.safeParse(answer).success) return answer as Explanation;
  }
  throw new McpError('GATEWAY_SILENT', 'no gateway explains', { retryable: true, hint: 'Look at mcp status.' });
}

async function ask(url: URL, signal: AbortSignal): Promise<unknown> {
  try {
    const { body } = await request(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]) });
    return await body.json();
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
