/** What an agent asks of the host of its machine, where the machine is behind the host's address translation. */
import { request } from 'undici';
import { z } from 'zod';
import { McpError } from '../../specs/errors.ts';
import type { Artifact } from '../../specs/nouns.ts';

export const hostSideSchema = z.object({
  /** Of the machine's host service, as seen from inside. */
  url: z.url(),
  /** Shown to it with each request. */
  pass: z.string().min(1),
  /** The machine's address on the inside: services listen there, and are checked there. */
  bindAddress: z.ipv4(),
  /** What the host's own loopback address is on the inside. */
  gateway: z.ipv4(),
});

export type HostSideConfig = z.infer<typeof hostSideSchema>;

/** The longest wait for an answer, ms. */
const answerMs = 10_000;

export class HostSide {
  readonly bindAddress: string;
  /** Ports that are open; only of those that were asked for by this agent. */
  readonly #open = new Set<number>();
  readonly #config: HostSideConfig;

  constructor(config: HostSideConfig) {
    this.#config = config;
    this.bindAddress = config.bindAddress;
  }

  /**
   * Makes the pass valid by the machine's one-use token; again with the same pass it changes nothing.
   * Errors: HOST_REFUSED (not retryable: another machine's token, or one that was used), HOST_UNAVAILABLE (retryable).
   */
  async join(uuid: string, token: string, signal: AbortSignal): Promise<void> {
    await this.#post('/join', { uuid, token }, signal);
  }

  /**
   * Lets the world reach this port at the machine's address. Idempotent.
   * Errors: HOST_REFUSED (retryable: the port may be taken for now), HOST_UNAVAILABLE (retryable).
   */
  async openPort(port: number, signal: AbortSignal): Promise<void> {
    if (this.#open.has(port)) return;
    await this.#post(`/ports/${port}`, {}, signal);
    this.#open.add(port);
  }

  /** Where to fetch an artifact from: files of the host by their digest, and what is at the host's loopback through it. */
  sourceOf({ url, sha256 }: Artifact): { url: string; headers: Record<string, string> } {
    const parsed = URL.parse(url);
    if (parsed?.protocol === 'file:') return { url: this.#at(`/artifacts/${sha256}`), headers: this.#headers() };
    if (parsed && ['127.0.0.1', 'localhost'].includes(parsed.hostname)) {
      parsed.hostname = this.#config.gateway;
      return { url: parsed.href, headers: {} };
    }
    return { url, headers: {} };
  }

  #at(path: string): string {
    return new URL(path, this.#config.url).href;
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#config.pass}` };
  }

  async #post(path: string, body: object, signal: AbortSignal): Promise<void> {
    const reply = await request(this.#at(path), {
      method: 'POST',
      headers: { ...this.#headers(), 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new McpError('HOST_UNAVAILABLE', `the machine's host does not answer: ${messageOf(cause)}`, {
        cause,
        retryable: true,
        hint: 'It is asked again; where this goes on, see the console of the machine.',
      });
    });
    const text = await reply.body.text();
    if (reply.statusCode === 204) return;
    throw new McpError('HOST_REFUSED', `the machine's host refused ${path}: ${text.slice(0, 300)}`, {
      retryable: reply.statusCode >= 409,
      hint: 'A port may be in use at all addresses of the host: choose another one, or end what listens there.',
      details: { status: reply.statusCode },
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
