/** What an agent says of itself in the registry, derived from what it is doing. Pure. */
import type { AgentPhase, AssignmentRecord, RegistrationRecord } from '../records.ts';

/** What an instance is doing, as it sees it; `draining` and `idle` are the agent's own words. */
export interface InstanceView {
  phase: Exclude<AgentPhase, 'draining' | 'idle'>;
  reason: string;
  /** Starts of the command so far. */
  starts: number;
  /** How the last run ended, where it did so by itself. */
  ended?: string;
  /** What runs was adopted, not started. */
  warm?: boolean;
}

export interface AgentWord {
  phase: AgentPhase;
  reason: string;
  starts: number;
  ended?: string;
  /** State of the registration; null: there is none. */
  registered: RegistrationRecord['state'] | null;
}

/** A znode is small, and a reason is for people. */
const longestReason = 1_000;

/**
 * @param leaving why the instance shall get no new requests; null: it may
 * @param registered what the registration says now
 */
export function agentWord(
  view: InstanceView | null,
  leaving: string | null,
  registered: AgentWord['registered'],
): AgentWord {
  if (!view) return { phase: 'idle', reason: '', starts: 0, registered: null };
  const ended = view.ended === undefined ? {} : { ended: shorten(view.ended) };
  const word = { starts: view.starts, reason: shorten(view.reason), ...ended };
  if (view.phase !== 'serving') return { ...word, phase: view.phase, registered: null };
  if (leaving === null) return { ...word, phase: 'serving', registered: 'up' };
  // Whoever is not known to any gateway has nothing to drain: registering now would only make it known.
  return { ...word, phase: 'draining', reason: shorten(leaving), registered: registered === null ? null : 'draining' };
}

/** Keeps the first line, which says what happened, and the end of what follows, where the error is. */
function shorten(reason: string): string {
  if (reason.length <= longestReason) return reason;
  const first = /^.{0,200}\n/.exec(reason)?.[0] ?? '';
  return `${first}...${reason.slice(first.length + 3 - longestReason)}`;
}

/** True where the running instance already is what the assignment asks for. */
export function runsTheSame(a: AssignmentRecord, b: AssignmentRecord): boolean {
  return a.service === b.service && a.version.version === b.version.version && a.version.digest === b.version.digest;
}
