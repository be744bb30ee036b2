/** Archives in cpio's `newc` format, which the kernel unpacks as its first root. Same entries, same bytes. Pure. */

export interface CpioEntry {
  /** Relative path; its folder is an entry before it. */
  name: string;
  /** File type and permission bits, as in stat. */
  mode: number;
  content?: Uint8Array;
  /** For devices: major and minor number. */
  device?: [number, number];
}

export const cpioFolder = 0o040755;
export const cpioProgram = 0o100755;
export const cpioFile = 0o100644;
export const cpioCharacterDevice = 0o020600;

const trailer = 'TRAILER!!!';

export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { name: trailer, mode: 0 }];
  return Buffer.concat(all.flatMap((entry, at) => [header(entry, at + 1), padded(entry.content ?? new Uint8Array())]));
}

function header({ name, mode, content, device: [major, minor] = [0, 0] }: CpioEntry, inode: number): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const links = mode === cpioFolder ? 2 : 1;
  const time = 0;
  // In the format's order: inode, mode, uid, gid, links, mtime, size, device of the file system, own device, name, checksum.
  const fields = [inode, mode, 0, 0, links, time, content?.length ?? 0, 0, 0, major, minor, nameBytes.length, 0];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.concat([Buffer.from(`070701${text}`), nameBytes]));
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
