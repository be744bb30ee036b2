/** What may be said of a machine that serves nothing: on its way, lost, or failed. */
import type { AgentRecord, MachineState } from '../../registrar/records.ts';
import { type NextMachineState, nextMachineState } from '../../vm-factory/pool/next-machine-state.ts';
import { ageOf, type PlannerMemory, stateAge } from './memory.ts';
import type { Policy } from './policy.ts';
import type { Unit, World } from './world.ts';

const settled: NextMachineState = { kind: 'settled' };

/** `draining` of a machine that shall run: its agent restarts the service, as after a change of configuration. */
const onTheWay = new Set(['idle', 'fetching', 'starting', 'checking', 'serving', 'draining']);

/**
 * Why this machine is given up as a failed start or a lost instance, or null. It needs an agent that says so, or a deadline;
 * a machine that leaves or that the provider calls stopped is no failed start.
 */
export function startFailure(unit: Unit, memory: PlannerMemory, policy: Policy, now: number): string | null {
  if (unit.ledger.state !== 'claimed' || unit.serving || unit.condition !== 'alive') return null;
  const agent = unit.observed.agent;
  if (agent?.phase === 'failed') return `its agent gave up: ${troubleOf(agent) || 'no reason given'}`;
  const waited = ageOf(memory, 'unserved', unit.uuid, now);
  if (waited < policy.startDeadlineMs) return null;
  const remark = unit.provider?.remark;
  const trouble = agent ? troubleOf(agent) : '';
  const words = agent ? `agent: ${agent.phase}${trouble && `, ${trouble}`}` : 'no agent';
  const saying = remark === undefined ? words : `${words}; ${remark}`;
  const what = unit.ledger.served ? 'not seen again' : 'never served';
  return `${what} within ${Math.round(policy.startDeadlineMs / 1000)} s (${saying})`;
}

/**
 * What speaks against a service, by its agent's word; empty where nothing does. A reason is of the moment (a check that fails, or
 * nothing while it seems well again): how the service ended before is said with it.
 */
export function troubleOf({ reason, ended = '' }: Pick<AgentRecord, 'reason' | 'ended'>): string {
  if (ended === '' || ended.startsWith(reason)) return ended || reason;
  return `${reason}; before that: ${ended}`;
}

/**
 * True while a machine that does not serve is still expected to (again), and so needs no replacement: its agent is at work,
 * or it was lost only just now. In the quiet window nothing lost is replaced that the provider still calls alive.
 */
export function isComing(unit: Unit, memory: PlannerMemory, policy: Policy, now: number): boolean {
  if (unit.ledger.state !== 'claimed' || unit.serving || unit.condition !== 'alive') return false;
  if (unit.observed.assignment?.record.want !== 'run') return false;
  if (startFailure(unit, memory, policy, now) !== null) return false;
  const phase = unit.observed.agent?.phase;
  if (phase !== undefined && onTheWay.has(phase)) return true;
  if (unit.ledger.served && !memory.quietOver) return true;
  return ageOf(memory, 'unserved', unit.uuid, now) < policy.lossGraceMs;
}

/** On its way into the pool, or in it. */
export function isBeforeClaim(state: MachineState): boolean {
  return state === 'building' || state === 'verifying' || state === 'ready';
}

/** What a machine that is not claimed becomes next on its way into the pool; a ready one fails if its agent stays away. */
export function poolStep(
  { desired }: World,
  unit: Unit,
  memory: PlannerMemory,
  policy: Policy,
  now: number,
): NextMachineState {
  if (!isBeforeClaim(unit.ledger.state)) return settled;
  const age = stateAge(memory, unit.ledger, now);
  const { verify } = desired.environment.pool;
  const step = nextMachineState(unit.ledger, unit.provider, unit.observed.agent, age, policy.readiness, verify);
  if (unit.ledger.state !== 'ready' || unit.observed.agent) return step;
  const away = ageOf(memory, 'agentless', unit.uuid, now);
  if (away < policy.readiness.verifyMs || unit.provider?.state !== 'running') return step;
  const { remark } = unit.provider;
  const because = remark === undefined ? '' : `: ${remark}`;
  return { kind: 'fail', reason: `its agent has been away for ${Math.round(away / 1000)} s${because}` };
}
