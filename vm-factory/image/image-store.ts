/** Baked images on disk: `<dir>/images/<id>/` appears whole, is never changed, and goes only when nothing uses it. */
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { McpError } from '../../specs/errors.ts';
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
  readonly stepsDir: string;
  readonly #images: string;
  readonly #staging: string;
  readonly #uses: string;

  constructor(dir: string) {
    this.stepsDir = join(dir, 'steps');
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
      await Promise.all([image.kernel, image.initramfs, image.root].map((path) => stat(path)));
      return { ...image, record, bakedAt: (await stat(join(dir, recordFile))).mtimeMs };
    } catch (cause) {
      throw new McpError('IMAGE_DAMAGED', `the image ${id} is damaged`, {
        cause,
        hint: 'Remove its folder; it will be baked again.',
      });
    }
  }

  /** The newest of this name, or null. */
  async newest(name: string): Promise<Image | null> {
    return (await this.list()).find(({ record }) => record.name === name) ?? null;
  }

  /** All whole ones, newest first. */
  async list(): Promise<Image[]> {
    const ids = await unless(readdir(this.#images), [], 'ENOENT');
    const images = await Promise.all(ids.map((id) => this.byId(id).catch(() => null)));
    return images.filter((image) => image !== null).sort((a, b) => b.bakedAt - a.bakedAt);
  }

  /** Keeps the parts as an image; where there is one of this id already, that is it. */
  async add(record: ImageRecord, parts: ImageParts): Promise<Image> {
    await this.#prepare();
    await tidy(this.#staging);
    const draft = join(this.#staging, ownName());
    await mkdir(draft);
    // Hard links: the cached steps and all images that share a part hold it once.
    await link(parts.kernel, join(draft, 'kernel'));
    await link(parts.initramfs, join(draft, 'initramfs'));
    await link(parts.root, join(draft, 'root.ext4'));
    await writeFile(join(draft, recordFile), `${JSON.stringify(record, null, 2)}\n`);
    const won = await unless(
      rename(draft, join(this.#images, record.id)).then(() => true),
      false,
      'ENOTEMPTY',
      'EEXIST',
    );
    if (!won) await rm(draft, { recursive: true });
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

  /**
   * Removes images but the newest `keep` of each name and those in use, and steps that no kept image needs. Returns the ids
   * that are gone. Not to be called while something is being baked.
   */
  async prune(keep = 1): Promise<string[]> {
    const images = await this.list();
    const gone: string[] = [];
    const kept: Image[] = [];
    for (const image of images) {
      const newer = kept.filter(({ record }) => record.name === image.record.name).length;
      if (newer < keep || (await this.users(image.record.id)).length > 0) kept.push(image);
      else gone.push(image.record.id);
    }
    for (const id of gone) {
      // Out of sight first: nobody may start a machine from half an image.
      const trash = join(this.#staging, ownName());
      await unless(rename(join(this.#images, id), trash), undefined, 'ENOENT');
      await rm(trash, { recursive: true, force: true });
    }
    const needed = new Set(kept.flatMap(({ record }) => record.steps.map(({ key }) => key)));
    for (const key of await unless(readdir(this.stepsDir), [], 'ENOENT'))
      if (/^[0-9a-f]{64}$/.test(key) && !needed.has(key))
        await rm(join(this.stepsDir, key), { recursive: true, force: true });
    return gone;
  }
}
