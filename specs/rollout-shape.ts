/** The `rollout:` section of a service as it is written, and what it means. */
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import type { AnalysisSettings, RolloutSettings } from './nouns.ts';
import { defaultRollout } from './rollout-settings.ts';
import { duration, map, whole } from './schema-parts.ts';

const shareMessage = 'must be a number of instances, or a percentage such as 25%';
const share = (least: number) =>
  z.union(
    [whole(least, 1000), z.string().regex(least > 0 ? /^([1-9]|[1-9]\d|100)%$/ : /^(\d|[1-9]\d|100)%$/, shareMessage)],
    { error: shareMessage },
  );

const percentage = z
  .string({ error: 'must be a percentage such as 1%' })
  .regex(/^(\d{1,2}(\.\d{1,2})?|100)%$/, 'must be a percentage such as 1%');

const truth = z.boolean({ error: 'must be true or false' });

const pause = map({
  at: share(1).describe('Once this many new instances count.'),
  for: z
    .union([z.literal('promote'), duration(0, 604_800_000)], {
      error: 'must be promote, or a duration such as 10m',
    })
    .describe('How long, or promote: until `mcp promote`.'),
});

const analysis = z.union(
  [
    z.literal('none'),
    map({
      'min-requests': whole(1, 1_000_000).optional().describe('Fewer of either version are not compared. Default: 50.'),
      'error-tolerance': percentage.optional().describe("Share of errors beyond the old version's. Default: 1%."),
      'slow-tolerance': percentage
        .optional()
        .describe("Share of requests slower than 95 % of the old version's, beyond theirs. Default: 10%."),
      patience: duration(0, 86_400_000).optional().describe('Longest wait for figures that tell. Default: 2m.'),
    }),
  ],
  { error: 'must be none or a map' },
);

export const rolloutShape = map({
  surge: share(0).optional().describe('Instances that may run beyond the count meanwhile. Default: 25%.'),
  unavailable: share(0).optional().describe('Instances that may be missing meanwhile; not both 0. Default: 0.'),
  batch: share(1).optional().describe('New instances started at a time. Default: 25%.'),
  canary: share(0).optional().describe('New instances that go first, alone; 0: none. Default: 1.'),
  'min-healthy': duration(0, 86_400_000)
    .optional()
    .describe('How long a new instance must have served before it counts. Default: 5s.'),
  'healthy-deadline': duration(1000, 86_400_000)
    .optional()
    .describe('A new instance that does not serve within this has failed. Default: 2m.'),
  'progress-deadline': duration(1000, 604_800_000)
    .optional()
    .describe('Without any progress for this long the rollout has failed. Default: 10m.'),
  bake: duration(0, 604_800_000).optional().describe('How long all are watched at the end. Default: 10s.'),
  pauses: z.array(pause, { error: 'must be a list of pauses' }).max(20).optional().describe('Where it holds.'),
  undo: duration(0, 604_800_000)
    .optional()
    .describe('How long the old instances are kept at weight 0, so that `mcp rollback` is at once. Default: 10m.'),
  'max-failures': whole(0, 1000).optional().describe('New instances that may fail. Default: 0.'),
  'auto-rollback': truth.optional().describe('Go back when it fails; else it holds. Default: true.'),
  analysis: analysis.optional().describe("Judging the new version by the gateway's figures; none: don't."),
  'allow-breaking': z
    .string({ error: 'must be a reason' })
    .min(3, 'must be a reason')
    .max(500, 'must be a reason of at most 500 characters')
    .optional()
    .describe('Why new versions may break callers by their documents. Default: they may not.'),
});

/** What is declared, in the words of nouns.ts; what is not said is left out. */
export function declareRollout(shape: z.infer<typeof rolloutShape>): Partial<RolloutSettings> {
  const said: Partial<RolloutSettings> = {
    surge: shape.surge,
    unavailable: shape.unavailable,
    batch: shape.batch,
    canary: shape.canary,
    minHealthyMs: ms(shape['min-healthy']),
    healthyDeadlineMs: ms(shape['healthy-deadline']),
    progressDeadlineMs: ms(shape['progress-deadline']),
    bakeMs: ms(shape.bake),
    pauses: shape.pauses?.map((one) => ({ at: one.at, forMs: one.for === 'promote' ? null : (ms(one.for) ?? 0) })),
    undoMs: ms(shape.undo),
    maxFailures: shape['max-failures'],
    autoRollback: shape['auto-rollback'],
    analysis: shape.analysis && declareAnalysis(shape.analysis),
    allowBreaking: shape['allow-breaking'],
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function declareAnalysis(shape: z.infer<typeof analysis>): AnalysisSettings | null {
  const usual = defaultRollout.analysis;
  if (shape === 'none' || !usual) return null;
  return {
    minRequests: shape['min-requests'] ?? usual.minRequests,
    errorTolerance: fraction(shape['error-tolerance']) ?? usual.errorTolerance,
    slowTolerance: fraction(shape['slow-tolerance']) ?? usual.slowTolerance,
    patienceMs: ms(shape.patience) ?? usual.patienceMs,
  };
}

function ms(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

function fraction(percent: string | undefined): number | undefined {
  return percent === undefined ? undefined : Number(percent.slice(0, -1)) / 100;
}
