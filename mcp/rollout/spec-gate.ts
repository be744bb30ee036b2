/**
 * The spec gate: before a new version gets any traffic, the document of its first instance is held against the live one's. What
 * breaks callers stops the rollout, unless somebody says why it may. Pure.
 */
import type { RolloutGate, RolloutRecord } from '../../registrar/rollout-records.ts';
import { leaving, type RolloutInput } from './rollout-input.ts';
import { controller, enter } from './transitions.ts';

/** A version that gets traffic already, or ran before, is not compared again. */
export function needsGate({ kind, base, gate, from, to }: RolloutRecord): boolean {
  return kind === 'upgrade' && base === 0 && gate === null && leaving(from, to).length > 0;
}

/** The record with what was found, once it is found. */
export function withGate(record: RolloutRecord, { gate, now }: Pick<RolloutInput, 'gate' | 'now'>): RolloutRecord {
  if (record.phase !== 'checking' || !needsGate(record) || !gate || !('found' in gate)) return record;
  const { found } = gate;
  const allowed = found.verdict === 'breaking' ? record.settings.allowBreaking : null;
  const why = allowed === null ? found.words : `${found.words}; allowed: ${allowed}`;
  return { ...enter(record, 'checking', { by: controller, why, now }), gate: found };
}

/** Why the document stops the rollout, with what it breaks as evidence; null: it does not. */
export function gateProblem({ phase, gate, settings }: RolloutRecord): { why: string; evidence: string[] } | null {
  if (phase !== 'checking' || gate?.verdict !== 'breaking' || settings.allowBreaking !== null) return null;
  return { why: gate.words, evidence: linesOf(gate) };
}

/** One line for each finding that is not safe. */
export function linesOf({ findings, leftOut }: RolloutGate): string[] {
  const lines = findings
    .filter(({ severity }) => severity !== 'safe')
    .map(
      ({ severity, words, operations }) =>
        `${severity}: ${operations.length > 0 ? `${operations.join(', ')}: ` : ''}${words}`,
    );
  return leftOut > 0 ? [...lines, `and ${leftOut} more`] : lines;
}
