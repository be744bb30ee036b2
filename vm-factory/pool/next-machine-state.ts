/** Verification before the pool: what a machine that is not ready yet becomes next, and when it is given up. */
import type { AgentRecord, MachineRecord } from '../../registrar/records.ts';
import type { VerifyLimits } from '../../specs/nouns.ts';
import type { ProviderMachine } from '../provider.ts';
import { failedChecks, judgeSelfTest } from './judge-self-test.ts';

/** What is asked of an agent's record here. */
type AgentWord = Pick<AgentRecord, 'machine' | 'phase' | 'reason' | 'selfTest'>;

export interface ReadinessDeadlines {
  /** ms from the ledger entry until the provider must say `running`, with an address. */
  buildMs: number;
  /** ms from then until the machine's agent must say `idle`. */
  verifyMs: number;
}

export const defaultDeadlines: ReadinessDeadlines = { buildMs: 300_000, verifyMs: 120_000 };

export type NextMachineState =
  | { kind: 'advance'; to: 'verifying' | 'ready'; reason: string }
  /** It must never serve: give it up. */
  | { kind: 'fail'; reason: string }
  | { kind: 'wait'; why: string }
  /** Ready or beyond: nothing to decide here. */
  | { kind: 'settled' };

/**
 * Pure. `stateAgeMs` is how long the machine is known to be in its state, on a clock that never jumps: a wrong wall clock fails
 * nothing (fault 6). A machine whose state the provider can't tell fails by no deadline: that is no evidence (P1).
 */
export function nextMachineState(
  record: Pick<MachineRecord, 'uuid' | 'state'>,
  provider: Pick<ProviderMachine, 'state' | 'address' | 'remark'> | null,
  agent: AgentWord | null,
  stateAgeMs: number,
  deadlines: ReadinessDeadlines = defaultDeadlines,
  limits: Partial<VerifyLimits> = {},
): NextMachineState {
  if (record.state !== 'building' && record.state !== 'verifying') return { kind: 'settled' };
  if (provider?.state === 'stopped' || provider?.state === 'error') {
    return { kind: 'fail', reason: `the provider says ${providerWord(provider)} while it was ${record.state}` };
  }
  if (provider?.state === 'unknown') return { kind: 'wait', why: "the provider can't tell its state" };
  const next = nextStep(record, provider, agent, limits);
  const deadline = record.state === 'building' ? deadlines.buildMs : deadlines.verifyMs;
  if (next.kind !== 'wait' || stateAgeMs < deadline) return next;
  return { kind: 'fail', reason: `${next.why}, after ${Math.round(stateAgeMs / 1000)} s of ${record.state}` };
}

/** The provider's word for a machine's state, with its remark. */
export function providerWord({ state, remark }: Pick<ProviderMachine, 'state' | 'remark'>): string {
  return remark === undefined ? state : `${state} (${remark})`;
}

function nextStep(
  { uuid, state }: Pick<MachineRecord, 'uuid' | 'state'>,
  provider: Pick<ProviderMachine, 'state' | 'address' | 'remark'> | null,
  agent: AgentWord | null,
  limits: Partial<VerifyLimits>,
): NextMachineState {
  if (!provider) return { kind: 'wait', why: 'the provider does not list it' };
  return state === 'building' ? whileBuilding(provider) : whileVerifying(uuid, agent, limits);
}

function whileBuilding(provider: Pick<ProviderMachine, 'state' | 'address' | 'remark'>): NextMachineState {
  if (provider.state === 'building') return { kind: 'wait', why: 'the provider is building it' };
  if (provider.address === undefined) return { kind: 'wait', why: 'it runs but has no address' };
  return { kind: 'advance', to: 'verifying', reason: `runs at ${provider.address}` };
}

function whileVerifying(uuid: string, agent: AgentWord | null, limits: Partial<VerifyLimits>): NextMachineState {
  if (!agent) return { kind: 'wait', why: 'its agent has not joined' };
  if (agent.machine !== uuid) return { kind: 'fail', reason: `its agent joined as ${agent.machine}` };
  if (agent.phase === 'idle') return whileIdle(agent, limits);
  if (agent.phase === 'failed')
    return { kind: 'fail', reason: `its agent failed: ${agent.reason || 'no reason given'}` };
  return { kind: 'wait', why: `its agent is ${agent.phase}` };
}

function whileIdle({ selfTest }: AgentWord, limits: Partial<VerifyLimits>): NextMachineState {
  if (!selfTest) return { kind: 'wait', why: 'its agent has told no self-test' };
  const verification = judgeSelfTest(selfTest, limits);
  if (!verification.passed) return { kind: 'fail', reason: `its self-test failed: ${failedChecks(verification)}` };
  return { kind: 'advance', to: 'ready', reason: 'its agent joined and its self-test passed' };
}
