import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export interface TarEntry {
  name: string;
  type?: 'file' | 'link' | 'symlink' | 'directory' | 'block-device' | 'character-device' | 'fifo' | 'contiguous-file';
  content?: string | Buffer;
  mode?: number;
  linkname?: string;
}

/** A tar with just these entries, good or evil. */
export async function makeTar(entries: TarEntry[]): Promise<Buffer> {
  const tar = pack();
  const bytes = buffer(tar);
  for (const { name, type = 'file', content = '', mode = 0o644, linkname } of entries)
    tar.entry({ name, type, mode, ...(linkname !== undefined && { linkname }) }, content);
  tar.finalize();
  return bytes;
}

export async function makeTarGz(entries: TarEntry[]): Promise<Buffer> {
  return gzipSync(await makeTar(entries));
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
