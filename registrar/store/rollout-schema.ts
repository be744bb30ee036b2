/** The structure of /rollouts/<service>. */
import { z } from 'zod';
import type {
  GateFinding,
  PastRollout,
  RolloutEntry,
  RolloutGate,
  RolloutHold,
  RolloutName,
  RolloutRecord,
  VersionFigures,
} from '../rollout-records.ts';
import { rolloutSettingsSchema, versionSchema } from './environment-schema.ts';
import { count, shaped, text, time } from './shape.ts';

const phase = z.enum([
  'waiting',
  'checking',
  'canary',
  'rolling',
  'baking',
  'done',
  'reverting',
  'reverted',
  'superseded',
]);
const versions = z.array(versionSchema);
const rolloutNames = z.array(shaped<RolloutName>({ service: text, operation: text }));

const hold = shaped<RolloutHold>({
  kind: z.enum(['operator', 'pause', 'inconclusive', 'failed']),
  by: text,
  why: text,
  at: time,
  forMs: count.nullable(),
});

export const figuresSchema = shaped<VersionFigures>({
  version: text,
  requests: count,
  errors: count,
  latency: z.object({ bounds: z.array(z.number()), counts: z.array(count) }),
});

const gate = shaped<RolloutGate>({
  at: time,
  verdict: z.enum(['breaking', 'risky', 'safe', 'skipped']),
  words: text,
  findings: z.array(
    shaped<GateFinding>({ severity: z.enum(['breaking', 'risky', 'safe']), words: text, operations: z.array(text) }),
  ),
  leftOut: count,
  watched: z.array(text).optional(),
});

export const rolloutSchema = shaped<RolloutRecord>({
  service: text.min(1),
  operation: text.min(1),
  kind: z.enum(['upgrade', 'undo']),
  by: text,
  reason: text,
  at: time,
  from: versions,
  to: versions,
  settings: rolloutSettingsSchema,
  order: z.object({ after: rolloutNames, others: rolloutNames }).optional(),
  phase,
  since: time,
  why: text,
  hold: hold.nullable(),
  total: count,
  base: count,
  goal: count,
  reached: count,
  waitedMs: count,
  keep: count,
  paused: z.array(count),
  failed: z.array(text),
  givenUp: count,
  baseline: z.array(figuresSchema).nullable(),
  gate: gate.nullable(),
  wanted: z.array(z.object({ version: text, count, weight: z.number().min(0) })),
  evidence: z.array(text),
  log: z.array(shaped<RolloutEntry>({ at: time, by: text, phase, why: text })),
  past: z.array(
    shaped<PastRollout>({
      operation: text,
      by: text,
      reason: text,
      at: time,
      endedAt: time,
      outcome: phase,
      from: versions,
      to: versions,
    }),
  ),
});
