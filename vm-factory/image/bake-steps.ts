/** A bake's steps: each has a folder named by the digest of all that goes into it, made once and whole. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { digestOf } from '../../specs/digest.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { ownName, tidy, unless } from '../process/files.ts';

export interface BakeReport {
  /** A step begins, or was found done. */
  step(name: string, cached: boolean): void;
  /** A line of a step's output. */
  output(line: string): void;
}

export interface BakeContext {
  /** Holds the steps' folders; shared by all images and bakes. */
  stepsDir: string;
  report: BakeReport;
  signal: AbortSignal;
}

interface StepRun {
  /** Empty; what is in it afterwards is the step's result. */
  dir: string;
  /** Runs a command in `dir`; its output is reported. Rejects where it fails. */
  command(program: string, ...args: string[]): Promise<void>;
}

export interface BakeStep {
  /** For people. */
  name: string;
  /** All that the result depends on, as JSON. */
  inputs: unknown;
  run(step: StepRun): Promise<void>;
  timeoutMs?: number;
}

/** A step that hangs holds nobody up longer than this, ms. */
const stepTimeoutMs = 300_000;
const shownLines = 15;

export function stepKey({ name, inputs }: Pick<BakeStep, 'name' | 'inputs'>): string {
  return digestOf({ name, inputs });
}

/**
 * The folder with the step's result, made now if it is not there yet. Two bakes at once make it twice and keep one.
 * Errors: IMAGE_STEP_FAILED (with the step's name and last output); the signal's reason.
 */
export async function runStep(context: BakeContext, step: BakeStep): Promise<string> {
  const { stepsDir, report, signal } = context;
  signal.throwIfAborted();
  const home = join(stepsDir, stepKey(step));
  const cached = (await unless(stat(home), null, 'ENOENT')) !== null;
  report.step(step.name, cached);
  if (cached) return home;
  const staging = join(stepsDir, 'staging');
  await mkdir(staging, { recursive: true });
  await tidy(staging);
  const draft = join(staging, ownName());
  await mkdir(draft);
  const lines: string[] = [];
  try {
    await step.run({ dir: draft, command: commandIn(draft, step, context, lines) });
    await unless(rename(draft, home), undefined, 'ENOTEMPTY', 'EEXIST');
    return home;
  } catch (cause) {
    signal.throwIfAborted();
    if (isMcpError(cause, 'IMAGE_INPUT_MISSING')) throw cause;
    throw failed(step.name, cause, lines);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function commandIn(cwd: string, step: BakeStep, { report, signal }: BakeContext, lines: string[]) {
  return async (program: string, ...args: string[]): Promise<void> => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.any([signal, AbortSignal.timeout(step.timeoutMs ?? stepTimeoutMs)]),
      killSignal: 'SIGKILL',
      // mke2fs is not on every user's PATH.
      env: { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` },
    });
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on('line', (line) => {
        lines.push(line);
        report.output(line);
      });
    const [code, ended] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (code !== 0) throw new Error(`${program} ended with ${ended ?? code}`);
  };
}

function failed(name: string, cause: unknown, lines: string[]): McpError {
  const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  const tail = lines.slice(-shownLines).join('\n');
  return new McpError('IMAGE_STEP_FAILED', `baking failed at "${name}": ${why}${tail && `\n${tail}`}`, {
    cause,
    hint: 'Correct what the output complains about; the steps before it are kept.',
    details: { step: name },
  });
}
