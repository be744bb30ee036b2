import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { DocumentFolders } from '../document-source.ts';
import { makeDirectory } from '../files.ts';
import { type Head, headOf, joinJson, joinYaml, tailOf } from './merge.ts';
import { type PackedFragment, unpackFragment } from './pack-fragment.ts';
import { modifiedAt, writePieces } from './write-document.ts';
import { writeYaml } from './write-yaml.ts';

/** Values as JSON: handing a thousand of them to a thread would hold up the event loop, handing over texts does not. */
export interface PublishedService {
  /** Of all that follows: an equal one needs no writing. */
  digest: string;
  service: string;
  /** A Head. */
  head: string;
  /** One service for the page that lists them: an item of services.json. */
  entry: string;
  written: PackedFragment;
}

export interface PublishJob {
  kind: 'publish';
  to: DocumentFolders;
  digest: string;
  generation: number;
  /** A Head, as JSON. */
  head: string;
  services: PublishedService[];
  /** ms since the Unix epoch. */
  now: number;
}

/** Writes all files of a document. Blocks: for a thread. Throws GATEWAY_DISK. */
export function publishDocument({ to, digest, generation, head: about, services, now }: PublishJob): void {
  try {
    const head: Head = { generation, ...(JSON.parse(about) as Head) };
    const fragments = services.map(({ written }) => unpackFragment(written));
    writeServices(to.services, services, fragments, now);
    rmSync(to.merged, { recursive: true, force: true });
    makeDirectory(to.merged);
    const after = Math.max(...['openapi.json', 'openapi.yaml'].map((name) => modifiedAt(join(to.served, name))));
    const at = Math.max(now, (after + 1) * 1000);
    writeBoth(to.merged, head, fragments, at);
    const list = `{"title":${JSON.stringify(head.title)},"services":[${services.map(({ entry }) => entry).join(',')}]}`;
    writePieces(join(to.merged, 'services.json'), [{ text: Buffer.from(list) }], at);
    writeFileSync(join(to.merged, 'digest'), digest);
  } catch (cause) {
    throw new McpError('GATEWAY_DISK', `the documents can't be written: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
      retryable: true,
      hint: 'The last good ones stay. Is the disk full?',
    });
  }
}

type Fragment = ReturnType<typeof unpackFragment>;

/** What each service's folder holds, as far as this thread wrote it: most services stay as they are. */
const held = new Map<string, string>();

function writeServices(dir: string, services: readonly PublishedService[], fragments: Fragment[], now: number): void {
  const names = new Set(services.map(({ service }) => service));
  makeDirectory(dir);
  for (const name of readdirSync(dir)) {
    if (names.has(name)) continue;
    held.delete(join(dir, name));
    rmSync(join(dir, name), { recursive: true, force: true });
  }
  services.forEach(({ service, digest, head }, index) => {
    const folder = join(dir, service);
    const fragment = fragments[index];
    if (fragment === undefined || held.get(folder) === digest) return;
    makeDirectory(folder);
    writeBoth(folder, JSON.parse(head) as Head, [fragment], now);
    held.set(folder, digest);
  });
}

function writeBoth(folder: string, head: Head, fragments: readonly Fragment[], now: number): void {
  const json = joinJson(
    head,
    fragments.map((fragment) => fragment.json),
  );
  const yaml = joinYaml(
    writeYaml(headOf(head)),
    writeYaml(tailOf(head)),
    fragments.map((fragment) => fragment.yaml),
  );
  writePieces(join(folder, 'openapi.json'), json, now);
  writePieces(join(folder, 'openapi.yaml'), yaml, now);
}
