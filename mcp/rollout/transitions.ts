/** The ways from one phase of a rollout to the next. Pure. */
import type { RolloutHold, RolloutPhase, RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Service } from '../../specs/nouns.ts';
import { declareSide } from './redeclare.ts';
import type { RolloutInput } from './rollout-input.ts';
import { wantedBack, withWanted } from './wanted.ts';

/** Who writes what nobody asked for. */
export const controller = 'controller';
const logKept = 60;

export interface Cause {
  by: string;
  why: string;
  now: number;
}

/** The record in another phase, or on in the same one, which its log tells. A new stage's waiting begins anew. */
export function enter(record: RolloutRecord, phase: RolloutPhase, { by, why, now }: Cause): RolloutRecord {
  const log = [...record.log, { at: now, by, phase, why }].slice(-logKept);
  const since = phase === record.phase ? record.since : now;
  return { ...record, phase, since, why, waitedMs: 0, log };
}

/** Holds where it is until somebody or the time says otherwise. */
export function hold(
  record: RolloutRecord,
  kind: RolloutHold['kind'],
  forMs: number | null,
  cause: Cause,
): RolloutRecord {
  const { by, why, now } = cause;
  return { ...enter(record, record.phase, cause), hold: { kind, by, why, at: now, forMs } };
}

/** Goes on from where it holds. */
export function release(record: RolloutRecord, cause: Cause): RolloutRecord {
  return { ...enter(record, record.phase, cause), hold: null };
}

/**
 * Back to what ran before: that is declared again, and wanted from now on. `service` is the service as it is declared;
 * `evidence` stays in the record.
 */
export function turnBack(
  record: RolloutRecord,
  service: Service,
  input: Pick<RolloutInput, 'instances'>,
  cause: Cause & { evidence: string[] },
): { record: RolloutRecord; redeclare: Service } {
  const redeclare = declareSide(service, record.from, record.total);
  const turned = { ...enter(record, 'reverting', cause), hold: null, evidence: cause.evidence, keep: 0 };
  const wanted = wantedBack(turned, input);
  return { record: withWanted(turned, wanted, { before: service, after: redeclare }), redeclare };
}

/** Something else counts now. */
export function supersede(record: RolloutRecord, service: Service | null, cause: Cause): RolloutRecord {
  const over = { ...enter(record, 'superseded', cause), hold: null, keep: 0 };
  return withWanted(over, [], { before: service, after: service });
}
