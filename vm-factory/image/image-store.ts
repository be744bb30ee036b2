/** Baked images on disk: `<dir>/images/<id>/` appears whole, is never changed, and goes only when nothing uses it. */
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { McpError } from '../../specs/errors.ts';
import { isImageId, isReferenceTo } from '../../specs/image-reference.ts';
import { ownName, readIfThere, tidy, unless } from '../process/files.ts';

const recordSchema = z.object({
  format: z.literal(1),
  /** sha256 of all that went into it, canonical; the same inputs give the same id wherever and whenever they are baked. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  /** What environments call it. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
  /** The QEMU that its templates are saved with: another one must not load them. */
  qemuVersion: z.string(),
  machineType: z.string(),
  /** Keys of the steps by their names. */
  steps: z.array(z.object({ name: z.string(), key: z.string() })),
  /** Only of declared images. */
  base: z.enum(['minimal', 'debian']).optional(),
  /** Digest of the declaration that it was baked by (ImageSpec). */
  definition: z.string().optional(),
  /** Digest of what is ours in it: agent, Node, who starts them. */
  guest: z.string().optional(),
  packages: z.array(z.object({ name: z.string(), version: z.string() })).optional(),
  /** Sizes of the parts, by which a cut one is told; absent in images from before they were written. */
  bytes: z.object({ kernel: z.number(), initramfs: z.number(), root: z.number() }).optional(),
});

export type ImageRecord = z.infer<typeof recordSchema>;

export interface Image {
  record: ImageRecord;
  dir: string;
  kernel: string;
  initramfs: string;
  /** Mounted read-only by every machine. */
  root: string;
  /** ms since the Unix epoch. */
  bakedAt: number;
}

/** Paths of finished parts, on the same file system. */
export interface ImageParts {
  kernel: string;
  initramfs: string;
  root: string;
}

const recordFile = 'image.json';

export class ImageStore {
  readonly dir: string;
  readonly stepsDir: string;
  /** Each step's last output. */
  readonly logsDir: string;
  /** Trees of images in the making. */
  readonly treesDir: string;
  /** Debian packages that were fetched. */
  readonly archivesDir: string;
  readonly #images: string;
  readonly #staging: string;
  readonly #uses: string;

  constructor(dir: string) {
    this.dir = dir;
    this.stepsDir = join(dir, 'steps');
    this.logsDir = join(dir, 'logs');
    this.treesDir = join(dir, 'trees');
    this.archivesDir = join(dir, 'archives');
    this.#images = join(dir, 'images');
    this.#staging = join(dir, 'staging');
    this.#uses = join(dir, 'uses');
  }

  async #prepare(): Promise<void> {
    for (const folder of [this.stepsDir, this.#images, this.#staging, this.#uses])
      await mkdir(folder, { recursive: true });
  }

  /** Null where there is none of this id. Errors: IMAGE_DAMAGED. */
  async byId(id: string): Promise<Image | null> {
    const dir = join(this.#images, id);
    const text = await readIfThere(join(dir, recordFile));
    if (text === null) return null;
    const image = { dir, kernel: join(dir, 'kernel'), initramfs: join(dir, 'initramfs'), root: join(dir, 'root.ext4') };
    try {
      const record = recordSchema.parse(JSON.parse(text));
      if (record.id !== id) throw new Error(`its record says ${record.id}`);
      const bytes = await sizesOf(image);
      if (record.bytes && canonicalJson(bytes) !== canonicalJson(record.bytes)) throw new Error('a part was cut');
      return { ...image, record, bakedAt: (await stat(join(dir, recordFile))).mtimeMs };
    } catch (cause) {
      throw new McpError('IMAGE_DAMAGED', `the image ${id} is damaged`, {
        cause,
        hint: 'Bake it again: mcp image bake, or mcp up.',
      });
    }
  }

  /**
   * What a machine's image means here: an id, the name of a built-in image, or a reference to a declared one
   * (specs/image-reference.ts); the newest where several fit. Null where there is none. Errors: IMAGE_DAMAGED.
   */
  async find(reference: string): Promise<Image | null> {
    if (isImageId(reference)) return this.byId(reference);
    const fits = ({ name, definition }: ImageRecord) =>
      definition === undefined ? name === reference : isReferenceTo(reference, { name, digest: definition });
    return (await this.list()).find(({ record }) => fits(record)) ?? null;
  }

  /** All whole ones, newest first. */
  async list(): Promise<Image[]> {
    return (await this.survey()).whole;
  }

  /** The same, with the ids of the damaged ones. */
  async survey(): Promise<{ whole: Image[]; damaged: string[] }> {
    const ids = await unless(readdir(this.#images), [], 'ENOENT');
    const found = await Promise.all(ids.map(async (id) => this.byId(id).catch(() => id)));
    const damaged = found.filter((image) => typeof image === 'string');
    const whole = found.filter((image) => image !== null && typeof image !== 'string');
    return { whole: whole.sort((a, b) => b.bakedAt - a.bakedAt), damaged };
  }

  /** Keeps the parts as an image; where there is one of this id already, that is it. Errors: IMAGE_DISK_FULL. */
  async add(record: ImageRecord, parts: ImageParts): Promise<Image> {
    try {
      return await this.#add({ ...record, bytes: await sizesOf(parts) }, parts);
    } catch (cause) {
      if (Object(cause).code !== 'ENOSPC' && Object(cause).code !== 'EDQUOT') throw cause;
      throw new McpError('IMAGE_DISK_FULL', `the disk of ${this.dir} is full`, {
        cause,
        retryable: true,
        hint: 'Free room there (`mcp image prune` removes what nothing uses) and bake again.',
      });
    }
  }

  async #add(record: ImageRecord, parts: ImageParts): Promise<Image> {
    await this.#prepare();
    await tidy(this.#staging);
    const draft = join(this.#staging, ownName());
    try {
      return await this.#place(record, parts, draft);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #place(record: ImageRecord, parts: ImageParts, draft: string): Promise<Image> {
    await mkdir(draft);
    // Hard links: the cached steps and all images that share a part hold it once.
    await link(parts.kernel, join(draft, 'kernel'));
    await link(parts.initramfs, join(draft, 'initramfs'));
    await link(parts.root, join(draft, 'root.ext4'));
    await writeFile(join(draft, recordFile), `${JSON.stringify(record, null, 2)}\n`);
    await unless(rename(draft, join(this.#images, record.id)), undefined, 'ENOTEMPTY', 'EEXIST');
    const image = await this.byId(record.id);
    if (image) return image;
    throw new McpError('IMAGE_DAMAGED', `the image ${record.id} went away`, { retryable: true });
  }

  /** Says that the holder (a folder that lives as long as it uses the image) needs it. Idempotent. */
  async use(id: string, holder: string): Promise<void> {
    await this.#prepare();
    const name = Buffer.from(holder).toString('base64url');
    await mkdir(join(this.#uses, id), { recursive: true });
    await writeFile(join(this.#uses, id, name), holder);
  }

  /** Holders of an image that are still there. */
  async users(id: string): Promise<string[]> {
    const folder = join(this.#uses, id);
    const names = await unless(readdir(folder), [], 'ENOENT');
    const holders = await Promise.all(
      names.map(async (name) => {
        const holder = await readFile(join(folder, name), 'utf8');
        if (await unless(stat(holder), null, 'ENOENT')) return holder;
        await rm(join(folder, name), { force: true });
        return null;
      }),
    );
    return holders.filter((holder) => holder !== null);
  }

  /** Puts an image away, whoever uses it. */
  async discard(id: string): Promise<void> {
    await this.#prepare();
    // Out of sight first: nobody may start a machine from half an image.
    const trash = join(this.#staging, ownName());
    await unless(rename(join(this.#images, id), trash), undefined, 'ENOENT');
    await rm(trash, { recursive: true, force: true });
  }

  /**
   * Removes images but the newest `keep` of each name and those in use, damaged ones, steps and logs that no kept image needs,
   * and fetched packages. Not to be called while something is being baked.
   */
  async prune(keep = 1): Promise<Pruned> {
    await this.#prepare();
    const { whole, damaged } = await this.survey();
    const before = await bytesBelow(this.dir);
    const gone: ImageRecord[] = [];
    const kept: Image[] = [];
    for (const image of whole) {
      const newer = kept.filter(({ record }) => record.name === image.record.name).length;
      if (newer < keep || (await this.users(image.record.id)).length > 0) kept.push(image);
      else gone.push(image.record);
    }
    for (const id of [...gone.map((record) => record.id), ...damaged]) await this.discard(id);
    const needed = new Set(kept.flatMap(({ record }) => record.steps.map(({ key }) => key)));
    for (const folder of [this.stepsDir, this.logsDir])
      for (const name of await unless(readdir(folder), [], 'ENOENT'))
        if (/^[0-9a-f]{64}(\.log)?$/.test(name) && !needed.has(name.slice(0, 64)))
          await rm(join(folder, name), { recursive: true, force: true });
    await rm(this.archivesDir, { recursive: true, force: true });
    return { gone, damaged, kept, freedBytes: Math.max(0, before - (await bytesBelow(this.dir))) };
  }
}

export interface Pruned {
  gone: ImageRecord[];
  /** Ids of damaged images, gone too. */
  damaged: string[];
  kept: Image[];
  freedBytes: number;
}

async function sizesOf({ kernel, initramfs, root }: ImageParts): Promise<NonNullable<ImageRecord['bytes']>> {
  const [one, two, three] = await Promise.all([kernel, initramfs, root].map(async (path) => (await stat(path)).size));
  return { kernel: one ?? 0, initramfs: two ?? 0, root: three ?? 0 };
}

/** Room that a folder takes on its disk; what is linked twice is counted once. What goes meanwhile does not count. */
export async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = new Map<number, number>();
  for (const entry of entries) {
    const found = entry.isFile() ? await unless(stat(join(entry.parentPath, entry.name)), null, 'ENOENT') : null;
    if (found) sizes.set(found.ino, found.blocks * 512);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
