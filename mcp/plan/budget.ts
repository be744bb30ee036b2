/**
 * P2: how many of a service may be destroyed now. The record is in the registry and so survives a failover; its age is
 * measured by the leader's own clock, so that a wrong wall clock frees nothing.
 */
import type { BudgetRecord } from '../../registrar/records.ts';
import type { Version } from '../../specs/nouns.ts';
import { isActive, leaving } from '../rollout/rollout-input.ts';
import { sameRun } from '../rollout/sides.ts';
import { ageOf, destructionKeys, type PlannerMemory } from './memory.ts';
import type { Because } from './plan.ts';
import type { Policy } from './policy.ts';
import type { Snapshot } from './snapshot.ts';
import { desiredTotal, type Unit, type World } from './world.ts';

/** The budget of machines that belong to no service. */
export const poolBudgetName = '_pool';

export interface Budgets {
  /** Destructions still allowed now under this name, of whatever is in its way. */
  remaining(name: string): number;
  /** Why nothing goes under this name now, with the time until one more may, for people. */
  spent(name: string): Because;
  /** How many more its rollout gave up: only those of `isGivenUp` are paid for by it. */
  granted(name: string): number;
  /** Takes one, for this machine; the record to be written with the tombstone, or null where nothing remains. */
  take(name: string, unit?: Unit): BudgetRecord | null;
}

/**
 * Whether the service's rollout gave the machine up: it runs what the rollout goes away from. Instances that died by themselves
 * leave a rest of what was given up; it must not pay for a machine that goes for another reason, such as its image (P2).
 */
export function isGivenUp({ snapshot, world }: { snapshot: Snapshot; world: World }, { ledger }: Unit): boolean {
  const { claim } = ledger;
  const rollout = snapshot.rollouts[claim?.service ?? '']?.record;
  if (!claim || !rollout) return false;
  const { phase, from, to } = rollout;
  const runsOneOf = (side: readonly Version[]) => side.some((version) => sameRun(version, claim));
  const goesBack = phase === 'reverting' || phase === 'reverted';
  const leaves = phase === 'superseded' ? [...from, ...to] : goesBack ? leaving(to, from) : leaving(from, to);
  if (isActive(rollout)) return runsOneOf(leaves);
  const declared = world.services.get(claim.service)?.versions ?? [];
  return runsOneOf(leaves) && !runsOneOf(declared.filter(({ count }) => count > 0));
}

export function openBudgets(
  snapshot: Snapshot,
  world: World,
  memory: PlannerMemory,
  policy: Policy,
  now: number,
): Budgets {
  const opened = new Map<string, BudgetRecord>();
  const { generation, allowance } = world.desired;

  const current = (name: string): BudgetRecord => {
    const known = opened.get(name);
    if (known) return known;
    const record = unexpired(snapshot.budgets[name]?.record, name, memory, policy, now, generation);
    opened.set(name, record);
    return record;
  };
  const given = (name: string) => Math.max(0, (allowance[name] ?? 0) - current(name).used);
  /** What a rollout gave up and what is still over: a grant that nothing needs any more is worth nothing. */
  const granted = (name: string) => {
    const rollout = snapshot.rollouts[name]?.record;
    if (!rollout) return 0;
    const machines = (world.unitsOf.get(name) ?? []).filter(({ ledger }) => ledger.state !== 'deleting').length;
    const surplus = machines - desiredTotal(world, name) - spentHere(opened.get(name), name);
    return Math.max(0, Math.min(rollout.givenUp - rolloutUsed(current(name), rollout.operation), surplus));
  };
  const before = (name: string) => unexpired(snapshot.budgets[name]?.record, name, memory, policy, now, generation);
  /** Taken by this plan already. */
  const spentHere = (record: BudgetRecord | undefined, name: string) =>
    record ? spentIn(record) - spentIn(before(name)) : 0;
  const limit = (name: string) =>
    name === poolBudgetName
      ? Math.max(policy.poolBudget, Math.floor(policy.budgetShare * world.units.length))
      : Math.max(1, Math.floor(policy.budgetShare * desiredTotal(world, name)));

  return {
    remaining: (name) => given(name) + Math.max(0, limit(name) - current(name).destroyed.length),
    spent: (name) => {
      const { destroyed } = current(name);
      const keys = destructionKeys(name, snapshot.budgets[name]?.record.destroyed ?? []);
      const ages = keys
        .map((key) => ageOf(memory, 'destruction', key, now))
        .filter((age) => age < policy.budgetWindowMs);
      // Those of this plan are as young as can be.
      while (ages.length < destroyed.length) ages.push(0);
      ages.sort((a, b) => b - a);
      const first = ages[Math.max(0, ages.length - limit(name))] ?? 0;
      const seconds = Math.max(1, Math.ceil((policy.budgetWindowMs - first) / 1000));
      const whose = name === poolBudgetName ? 'the pool' : name;
      const why = `the destruction budget of ${whose} is used up for now, one more may go in ${seconds} s`;
      return { cause: 'budget', why };
    },
    granted,
    take: (name, unit) => {
      const record = current(name);
      if (given(name) > 0) {
        // What the operator gave up explicitly does not fill the window.
        opened.set(name, { ...record, used: record.used + 1 });
      } else if (unit && isGivenUp({ snapshot, world }, unit) && granted(name) > 0) {
        const operation = snapshot.rollouts[name]?.record.operation ?? '';
        opened.set(name, { ...record, rollout: { operation, used: rolloutUsed(record, operation) + 1 } });
      } else if (record.destroyed.length < limit(name)) {
        opened.set(name, { ...record, destroyed: [...record.destroyed, snapshot.at] });
      } else {
        return null;
      }
      return current(name);
    },
  };
}

function rolloutUsed({ rollout }: BudgetRecord, operation: string): number {
  return rollout?.operation === operation ? rollout.used : 0;
}

function spentIn({ destroyed, used, rollout }: BudgetRecord): number {
  return destroyed.length + used + (rollout?.used ?? 0);
}

/** The record without what left the window, and with a new generation's allowance untouched. */
function unexpired(
  record: BudgetRecord | undefined,
  name: string,
  memory: PlannerMemory,
  policy: Policy,
  now: number,
  generation: number,
): BudgetRecord {
  const destroyed = record?.destroyed ?? [];
  const keys = destructionKeys(name, destroyed);
  const recent = destroyed.filter((_, index) => {
    return ageOf(memory, 'destruction', keys[index] ?? '', now) < policy.budgetWindowMs;
  });
  const used = record?.generation === generation ? record.used : 0;
  return { destroyed: recent, generation, used, ...(record?.rollout ? { rollout: record.rollout } : {}) };
}
