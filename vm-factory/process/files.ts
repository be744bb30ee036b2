/** File-system steps that are atomic, so that a crash between any two leaves something whole. */
import { readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSameProcess, readStartTime } from '../../registrar/process-identity.ts';

let named = 0;

/** A name that no other process, and nothing else in this one, uses; it tells who made it. */
export function ownName(): string {
  named += 1;
  return `${process.pid}.${readStartTime(process.pid) ?? 0}.${named}`;
}

/** Whether the process that made a name with `ownName` still lives. */
export function makerLives(name: string): boolean {
  const [pid, startTime] = name.split('.').map(Number);
  return isSameProcess({ pid: pid ?? 0, startTime: startTime ?? 0 });
}

/** Removes what dead processes left in a folder of `ownName`s. */
export async function tidy(folder: string, remove = removeFolder): Promise<void> {
  const abandoned = (await readdir(folder)).filter((name) => !makerLives(name));
  await Promise.all(abandoned.map((name) => remove(join(folder, name))));
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true });
}

/** Whether a file could not be written for want of room: the disk is full, or a quota of it used up. */
export function isDiskFull(error: unknown): boolean {
  return hasCode(error, 'ENOSPC', 'EDQUOT');
}

/** True if `error` is a system error with one of the codes. */
function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Waits for `step`; gives `fallback` where it fails with one of the codes. */
export async function unless<T, F>(step: Promise<T>, fallback: F, ...codes: string[]): Promise<T | F> {
  try {
    return await step;
  } catch (error) {
    if (hasCode(error, ...codes)) return fallback;
    throw error;
  }
}

/** Takes steps one after the other, each whether or not those before it worked; then rejects with the first failure. */
export async function inTurn(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** Readers see the old file or the new one, never a part. */
export async function writeWhole(path: string, text: string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${ownName()}`;
  await orRemove(temporary, async () => {
    await writeFile(temporary, text, { mode });
    await rename(temporary, path);
  });
}

/** Removes a draft where the step that was to make something of it fails: on a full disk it would be made again and again. */
export async function orRemove<T>(draft: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** The file's text, or null where there is none. */
export function readIfThere(path: string): Promise<string | null> {
  return unless(readFile(path, 'utf8'), null, 'ENOENT');
}

/** A word that is written once and for all: the first writer wins, and all get what it wrote. */
export async function writeOnce(path: string, word: string): Promise<string> {
  await unless(symlink(word, path), undefined, 'EEXIST');
  return readlink(path);
}

/** What `writeOnce` (or the machine itself) wrote, or null. */
export function readWord(path: string): Promise<string | null> {
  return unless(readlink(path), null, 'ENOENT');
}
