/** A bake's steps: each has a folder named by the digest of all that goes into it, made once and whole. */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../specs/digest.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { ownName, readIfThere, tidy, unless } from '../process/files.ts';
import { type CommandOptions, runCommand } from './run-command.ts';

export interface BakeReport {
  /** A step begins, or was found done. */
  step(name: string, cached: boolean): void;
  /** A line of a step's output. */
  output(line: string): void;
  /** Something that people should know and that stops nothing. */
  note(text: string): void;
}

export interface BakeContext {
  /** Holds the steps' folders; shared by all images and bakes. */
  stepsDir: string;
  /** Holds each step's last output as `<key>.log`. */
  logsDir: string;
  report: BakeReport;
  signal: AbortSignal;
}

export interface StepRun {
  /** Empty; what is in it afterwards is the step's result. */
  dir: string;
  signal: AbortSignal;
  /** Runs a command in `dir`; its output is reported. Rejects where it fails. */
  command(
    argv: readonly string[],
    options?: Pick<CommandOptions, 'fromZstd' | 'toZstd' | 'successCodes'>,
  ): Promise<void>;
}

export interface BakeStep {
  /** For people. */
  name: string;
  /** All that the result depends on, as JSON; with the name, unless it is left out. */
  inputs: unknown;
  /** The name may change without another result. */
  nameless?: boolean;
  run(step: StepRun): Promise<void>;
  timeoutMs?: number;
}

/** A step that hangs holds nobody up longer than this, ms. */
const stepTimeoutMs = 600_000;
const shownLines = 15;
/** In a step's folder: the sizes of all its files, by which a damaged one is told. */
const contentsFile = '.contents.json';

export function stepKey({ name, inputs, nameless }: Pick<BakeStep, 'name' | 'inputs' | 'nameless'>): string {
  return digestOf(nameless ? { inputs } : { name, inputs });
}

/**
 * The folder with the step's result, made now if it is not there yet or not whole. Two bakes at once make it twice and keep
 * one. Errors: IMAGE_STEP_FAILED (with the step's name and last output), IMAGE_DISK_FULL, IMAGE_INPUT_MISSING; the signal's
 * reason.
 */
export async function runStep(context: BakeContext, step: BakeStep): Promise<string> {
  const { stepsDir, report, signal } = context;
  signal.throwIfAborted();
  const home = join(stepsDir, stepKey(step));
  const cached = await isWhole(home);
  report.step(step.name, cached);
  if (cached) return home;
  const lines: string[] = [];
  const staging = join(stepsDir, 'staging');
  const draft = join(staging, ownName());
  const deadline = AbortSignal.timeout(step.timeoutMs ?? stepTimeoutMs);
  try {
    await mkdir(staging, { recursive: true });
    await tidy(staging);
    await mkdir(draft);
    await logged(context, step, lines, (onLine) => perform(step, draft, AbortSignal.any([signal, deadline]), onLine));
    await writeFile(join(draft, contentsFile), JSON.stringify(await sizesOf(draft)));
    await discardStep(stepsDir, stepKey(step), draft);
    await unless(rename(draft, home), undefined, 'ENOTEMPTY', 'EEXIST');
    return home;
  } catch (cause) {
    signal.throwIfAborted();
    throw failed(context, step, deadline.aborted ? tooLong(step) : cause, lines);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function perform(step: BakeStep, dir: string, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
  return step.run({
    dir,
    signal,
    command: (argv, options) => runCommand(argv, { cwd: dir, signal, onLine, ...options }),
  });
}

/** Shows, remembers and writes down the lines of a step while it runs. A log that can't be written stops nothing. */
async function logged(
  { logsDir, report }: BakeContext,
  step: BakeStep,
  lines: string[],
  run: (onLine: (line: string) => void) => Promise<void>,
): Promise<void> {
  await mkdir(logsDir, { recursive: true });
  const log = createWriteStream(stepLog(logsDir, step)).on('error', () => {});
  try {
    await run((line) => {
      lines.push(line);
      if (lines.length > shownLines) lines.shift();
      log.write(`${line}\n`);
      report.output(line);
    });
  } finally {
    log.end();
  }
}

function stepLog(logsDir: string, step: BakeStep): string {
  return join(logsDir, `${stepKey(step)}.log`);
}

async function sizesOf(folder: string): Promise<Record<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (path) => [path.slice(folder.length + 1), (await stat(path)).size]));
  return Object.fromEntries(sizes);
}

async function isWhole(home: string): Promise<boolean> {
  try {
    const sizes = JSON.parse((await readIfThere(join(home, contentsFile))) ?? 'null') as Record<string, number>;
    const found = await Promise.all(Object.keys(sizes).map(async (path) => (await stat(join(home, path))).size));
    return Object.values(sizes).every((size, at) => size === found[at]);
  } catch {
    // Missing, cut off or unreadable comes to the same: it is made again.
    return false;
  }
}

/** Out of sight first, by way of `draft`'s folder: nobody may take half a step's result for a whole one. */
async function discardStep(stepsDir: string, key: string, draft: string): Promise<void> {
  const home = join(stepsDir, key);
  if (await isWhole(home)) return;
  const trash = `${draft}.old`;
  await unless(rename(home, trash), undefined, 'ENOENT');
  await rm(trash, { recursive: true, force: true });
}

function tooLong({ timeoutMs = stepTimeoutMs }: BakeStep): Error {
  return new Error(`it did not end within ${timeoutMs / 1000} s`);
}

const noRoom = /no space left on device|disk quota exceeded/i;

/** Whether an error, or what a program said before it failed, means that a disk is full. */
function isDiskFull(cause: unknown, lines: readonly string[]): boolean {
  const { code } = Object(cause) as { code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || lines.some((line) => noRoom.test(line));
}

function failed({ stepsDir, logsDir }: BakeContext, step: BakeStep, cause: unknown, lines: string[]): McpError {
  if (isMcpError(cause, 'IMAGE_INPUT_MISSING')) return cause;
  const log = stepLog(logsDir, step);
  if (isDiskFull(cause, lines))
    return new McpError('IMAGE_DISK_FULL', `the disk is full: "${step.name}" could not be baked in ${stepsDir}`, {
      cause,
      retryable: true,
      hint: 'Free room there (`mcp image prune` removes what nothing uses) and bake again; the steps before it are kept.',
      details: { step: step.name },
    });
  const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  const tail = lines.join('\n');
  return new McpError('IMAGE_STEP_FAILED', `baking failed at "${step.name}": ${why}${tail && `\n${tail}`}`, {
    cause,
    hint: `Correct what the output complains about (all of it: ${log}); the steps before it are kept.`,
    details: { step: step.name, log },
  });
}
