/** A plan as a file, and whether it is still the plan. See decision 0091. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { environmentDigest, sha256 } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment } from '../../specs/nouns.ts';
import type { ForecastRow } from '../view/forecast.ts';
import type { EnvironmentPlan } from './plan-environment.ts';

/** What must be the same for it to be the same plan: what is done to whom, and what stands against it. No times, no order. */
interface Essence {
  rows: Omit<ForecastRow, 'reason'>[];
  rollouts: { service: string; from: string[]; to: string[]; after: string[] }[];
  guards: string[];
}

export interface SavedPlan {
  clusterId: string;
  index: number;
  /** Who made it, and when: ms since the Unix epoch. */
  by: string;
  at: number;
  /** The environment file as it was. */
  file: { name: string; sha256: string; text: string };
  /** What is declared: the file with its artifacts by their digests. */
  environment: Environment;
  digest: string;
  essence: Essence;
}

const format = 'mcp-plan';
const envelope = z.object({ format: z.literal(format), version: z.literal(1), sha256: z.string(), plan: z.unknown() });
const essential = z.object({
  clusterId: z.string(),
  index: z.number().int().min(0),
  by: z.string(),
  at: z.number(),
  digest: z.string(),
  file: z.object({ name: z.string(), sha256: z.string(), text: z.string() }),
  environment: z.object({ services: z.array(z.unknown()) }),
  essence: z.object({ rows: z.array(z.unknown()), rollouts: z.array(z.unknown()), guards: z.array(z.string()) }),
});

/** Writes it readable for its owner alone: the file's `env` may say what is nobody else's business. Errors: USAGE_FILE. */
export async function writePlan(
  path: string,
  plan: EnvironmentPlan,
  of: { environment: Environment; file: { name: string; text: string }; by: string; at: number },
): Promise<void> {
  const { clusterId, index, digest } = plan;
  const { environment, by, at } = of;
  const file = { ...of.file, sha256: sha256(of.file.text) };
  const saved: SavedPlan = { clusterId, index, by, at, file, environment, digest, essence: essenceOf(plan) };
  const text = JSON.stringify({ format, version: 1, sha256: sha256(canonicalJson(saved) ?? ''), plan: saved }, null, 2);
  const draft = `${path}.tmp`;
  try {
    await writeFile(draft, `${text}\n`, { mode: 0o600 });
    await rename(draft, path);
  } catch (cause) {
    throw new McpError('USAGE_FILE', `can't write ${path}: ${codeOf(cause)}`, {
      cause,
      hint: 'Name a file in a folder of yours with --out.',
    });
  }
}

/** Errors: USAGE_FILE (it can't be read), USAGE_PLAN_FILE (it is no plan, of another version, or damaged). */
export async function readPlan(path: string): Promise<SavedPlan> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new McpError('USAGE_FILE', `can't read ${path}: ${codeOf(cause)}`, {
      cause,
      hint: 'Make a plan with mcp plan -f FILE --out PLAN.',
    });
  });
  const bad = (why: string) =>
    new McpError('USAGE_PLAN_FILE', `${path} ${why}`, { hint: 'Plan again: mcp plan -f FILE --out PLAN.' });
  const read = envelope.safeParse(parsed(text));
  if (!read.success) throw bad('is no saved plan of this version of mcp');
  const { sha256: told, plan } = read.data;
  if (sha256(canonicalJson(plan) ?? '') !== told) throw bad('is damaged: it was changed since it was saved');
  if (!essential.safeParse(plan).success) throw bad('is no saved plan of this version of mcp');
  const saved = plan as SavedPlan;
  if (environmentDigest(saved.environment) !== saved.digest || sha256(saved.file.text) !== saved.file.sha256)
    throw bad('is damaged: what it declares is not what it was made for');
  return saved;
}

/** What has moved since it was saved, a sentence each; empty: it is still the plan. `now`: planned anew from the same environment. */
export function whatMoved(saved: SavedPlan, now: EnvironmentPlan): string[] {
  if (saved.clusterId !== now.clusterId)
    return [`it was made for cluster ${saved.clusterId}, this is cluster ${now.clusterId}`];
  const generation =
    saved.index === now.index
      ? []
      : [`it was made from generation ${saved.index}, generation ${now.index} is declared now`];
  const essence = essenceOf(now);
  return [
    ...generation,
    ...movedRows(saved.essence.rows, essence.rows),
    ...movedWords('rollout', saved.essence.rollouts.map(rolloutWords), essence.rollouts.map(rolloutWords)),
    ...movedWords('guard', saved.essence.guards, essence.guards),
  ];
}

/** REFUSED_PLAN_MOVED with what has moved, unless it is still the plan. */
export function requireSamePlan(saved: SavedPlan, now: EnvironmentPlan): void {
  const moved = whatMoved(saved, now);
  if (moved.length === 0) return;
  throw new McpError('REFUSED_PLAN_MOVED', `the plan is not the one that was saved any more: ${moved.join('; ')}`, {
    hint: 'Nothing was changed. Look at it anew: mcp plan -f FILE --out PLAN.',
    details: { moved },
  });
}

function essenceOf({ forecast, begun, guards }: EnvironmentPlan): Essence {
  return {
    rows: forecast.rows.map(({ reason: _, ...row }) => row),
    rollouts: begun.map(({ service, from, to, order }) => ({
      service,
      from: from.map(({ version }) => version),
      to: to.map(({ version }) => version),
      after: (order?.after ?? []).map((one) => one.service),
    })),
    // What merely takes its time depends on the moment.
    guards: [
      ...new Set(
        guards
          .filter(({ effect }) => effect === 'refuses' || effect === 'stops')
          .map(({ guard, effect }) => `${guard} ${effect}`),
      ),
    ].sort(),
  };
}

const facts = ['desired', 'keep', 'create', 'claim', 'build', 'drain', 'destroy', 'undo'] as const;

function movedRows(before: Essence['rows'], after: Essence['rows']): string[] {
  const none = Object.fromEntries(facts.map((fact) => [fact, 0])) as Record<(typeof facts)[number], number>;
  const nameOf = ({ service, version }: Essence['rows'][number]) => `${service}@${version}`;
  const names = [...new Set([...before, ...after].map(nameOf))];
  return names.flatMap((name) => {
    const old = before.find((row) => nameOf(row) === name) ?? none;
    const now = after.find((row) => nameOf(row) === name) ?? none;
    const moved = facts.filter((fact) => old[fact] !== now[fact]).map((fact) => `${fact} ${old[fact]} -> ${now[fact]}`);
    return moved.length > 0 ? [`${name}: ${moved.join(', ')}`] : [];
  });
}

function movedWords(what: string, before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.filter((one) => !after.includes(one)).map((one) => `${what} no more: ${one}`),
    ...after.filter((one) => !before.includes(one)).map((one) => `${what} now: ${one}`),
  ];
}

function rolloutWords({ service, from, to, after }: Essence['rollouts'][number]): string {
  return `${service} ${from.join(' + ')} -> ${to.join(' + ')}${after.length > 0 ? ` after ${after.join(', ')}` : ''}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}
