/**
 * P7: a machine with our tag that no ledger entry knows is a creation that landed late. It enters the ledger with a
 * tombstone and is destroyed from there (P1). One that serves is left alone: then the ledger is what is wrong.
 */
import { quietReason } from './brakes.ts';
import { poolBudgetName } from './budget.ts';
import { act, alarm, type Draft, short, wait } from './draft.ts';
import { ageOf } from './memory.ts';

export function adoptOrphans(draft: Draft): void {
  if (draft.world.unknown.length === 0) return;
  const registered = new Set(draft.snapshot.registrations.map(({ record }) => record.machine));
  for (const { uuid, providerId, operation, image, state } of draft.world.unknown) {
    const what = `machine ${short(uuid)}`;
    if (registered.has(uuid)) {
      alarm(draft, 'ORPHAN_SERVES', `${what} serves but is not in the ledger: left alone, a person must look`);
      continue;
    }
    const quiet = quietReason(draft);
    const left = draft.policy.orphanMs - ageOf(draft.memory, 'orphan', uuid, draft.input.now);
    if (quiet || left > 0 || state === 'unknown') {
      wait(
        draft,
        what,
        `is not in the ledger; ${quiet ?? `it is taken for an orphan in ${Math.max(0, Math.ceil(left / 1000))} s`}`,
      );
      continue;
    }
    const spent = draft.budgets.take(poolBudgetName);
    if (!spent) {
      wait(draft, what, 'an orphan; the destruction budget of the pool is used up for now');
      continue;
    }
    const reason = 'orphan: the provider lists it with our tag, the ledger does not know it';
    act(draft, { kind: 'adopt', uuid, providerId, operation, image, budget: poolBudgetName, spent, reason });
  }
}
