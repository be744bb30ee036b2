/** What an agent says of itself in the registry, derived from what it is doing. Pure. */
import type { AgentPhase, AssignmentRecord, RegistrationRecord } from '../records.ts';

/** What an instance is doing, as it sees it; `draining` and `idle` are the agent's own words. */
export interface InstanceView {
  phase: Exclude<AgentPhase, 'draining' | 'idle'>;
  reason: string;
  /** Starts of the command so far. */
  starts: number;
  /** What runs was adopted, not started. */
  warm?: boolean;
}

export interface AgentWord {
  phase: AgentPhase;
  reason: string;
  starts: number;
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
  const word = { starts: view.starts, reason: shorten(view.reason) };
  if (view.phase !== 'serving') return { ...word, phase: view.phase, registered: null };
  if (leaving === null) return { ...word, phase: 'serving', registered: 'up' };
  // Whoever is not known to any gateway has nothing to drain: registering now would only make it known.
  return { ...word, phase: 'draining', reason: shorten(leaving), registered: registered === null ? null : 'draining' };
}

function shorten(reason: string): string {
  return reason.length <= longestReason ? reason : `...${reason.slice(3 - longestReason)}`;
}

/** True where the running instance already is what the assignment asks for. */
export function runsTheSame(a: AssignmentRecord, b: AssignmentRecord): boolean {
  return a.service === b.service && a.version.version === b.version.version && a.version.digest === b.version.digest;
}
