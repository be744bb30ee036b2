/**
 * The registry session of the agent that ran before in this machine: what it registered stays until that session times out,
 * and nobody but that session may take it away. So each agent keeps its session's credentials, and the next one ends it.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { connectZooKeeper } from '../zookeeper/client.ts';

const schema = z.object({ id: z.string().regex(/^0x[0-9a-f]{1,16}$/), password: z.string() });

export type SessionCredentials = z.infer<typeof schema>;

/** Longer is not worth it: the session is as likely over by itself then, ms. */
const patienceMs = 5_000;

export class LastSession {
  readonly #path: string;

  /** @param dir the machine's folder, which is private to it */
  constructor(dir: string) {
    this.#path = join(dir, 'session.json');
  }

  /** Ends the session that is kept here, if there is one that lives. Never rejects: it ends by itself, only later. */
  async end(registry: string): Promise<void> {
    try {
      const resume = schema.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      const client = await connectZooKeeper(registry, { resume, establishTimeoutMs: patienceMs });
      await client.close();
    } catch {
      // There is none, or it is over.
    }
    await rm(this.#path, { force: true }).catch(() => {});
  }

  /** Without it the next agent waits a little longer: no reason to fail. */
  async keep(credentials: SessionCredentials): Promise<void> {
    const draft = `${this.#path}.new`;
    await writeFile(draft, JSON.stringify(credentials), { mode: 0o600 })
      .then(() => rename(draft, this.#path))
      .catch(() => {});
  }
}
