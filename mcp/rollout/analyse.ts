/** What the gateways' figures say of a rollout so far. Pure. */
import type { RolloutRecord, VersionFigures } from '../../registrar/rollout-records.ts';
import type { Version } from '../../specs/nouns.ts';
import { judgeFigures, sinceThen } from './judge-figures.ts';
import type { RolloutInput } from './rollout-input.ts';
import { leaving } from './rollout-input.ts';

export interface Analysis {
  /** The figures that the next look compares with. */
  baseline: RolloutRecord['baseline'];
  /** Words of a new version that is worse; null: it is not. */
  bad: string[] | null;
  /** Words of figures that don't tell; null: they do, or there are none. */
  unsure: string | null;
  /** What was found, for people. */
  words: string;
}

/** Compares all that was counted since the rollout began. */
export function analyse({ record, figures }: Pick<RolloutInput, 'record' | 'figures'>): Analysis {
  const { settings, baseline } = record;
  if (settings.analysis === null) return skipped(baseline, 'not judged by figures: analysis is off');
  if (figures === null) return skipped(baseline, 'not judged by figures: no gateway has any');
  if (baseline === null) return skipped([...figures], 'figures are counted from now on');
  const older = counted(leaving(record.from, record.to), figures, baseline);
  const newer = counted(record.to, figures, baseline);
  if (older === null || newer === null) return skipped([...figures], 'a gateway began anew to count, and so do we');
  const { result, words } = judgeFigures(older, newer, settings.analysis);
  const text = words.join('; ');
  return { baseline, bad: result === 'bad' ? words : null, unsure: result === 'unsure' ? text : null, words: text };
}

function skipped(baseline: RolloutRecord['baseline'], words: string): Analysis {
  return { baseline, bad: null, unsure: null, words };
}

function counted(
  side: readonly Version[],
  figures: readonly VersionFigures[],
  baseline: readonly VersionFigures[],
): VersionFigures[] | null {
  const found = side.flatMap(({ version }) => figures.filter((one) => one.version === version));
  const since = found.map((one) =>
    sinceThen(
      one,
      baseline.find((before) => before.version === one.version),
    ),
  );
  return since.every((one) => one !== null) ? since : null;
}
