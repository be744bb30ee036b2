/** An artifact's bytes over http(s): same-host redirects only, bounded waits, no content coding. */
import { request } from 'undici';
import { McpError } from '../../specs/errors.ts';

const mostRedirects = 3;
/** The longest silence, ms, before the headers and between two pieces of the body. */
const silenceMs = 30_000;

/**
 * Opens the URL for reading. Errors: ARTIFACT_UNAVAILABLE (retryable unless the server says that it isn't there),
 * ARTIFACT_BAD_URL for a redirect to another host.
 */
export async function openHttp(
  url: URL,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<NodeJS.ReadableStream> {
  let at = url;
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    const reply = await request(at, {
      signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      headers: { ...headers, 'accept-encoding': 'identity' },
    });
    if (reply.statusCode === 200) return reply.body;
    // Read to its end (bounded) so that the connection is free again.
    await reply.body.dump();
    const location = reply.headers.location;
    if (reply.statusCode < 300 || reply.statusCode > 399 || typeof location !== 'string')
      throw refused(at, reply.statusCode);
    at = redirected(at, location);
  }
  throw new McpError('ARTIFACT_UNAVAILABLE', `${url.host} redirected more than ${mostRedirects} times`, {
    retryable: true,
  });
}

function redirected(from: URL, location: string): URL {
  const to = URL.parse(location, from.href);
  // Another host was not declared: following it would let the first host send the machine anywhere.
  if (!to || to.host !== from.host || to.protocol !== from.protocol)
    throw new McpError('ARTIFACT_BAD_URL', `${from.host} redirects to another host, which is not followed`, {
      hint: "Declare the artifact's final URL.",
    });
  return to;
}

function refused(url: URL, status: number): McpError {
  return new McpError('ARTIFACT_UNAVAILABLE', `${url.host}${url.pathname} answered ${status}`, {
    retryable: status >= 500 || status === 404 || status === 408 || status === 429,
    hint: 'See that the artifact is published and readable without a login.',
    details: { status },
  });
}
