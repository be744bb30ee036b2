/** Writes down what the provider and the registrations tell: the ledger knows before anything is done. */
import { act, alarm, type Draft, short } from './draft.ts';
import { stateAge } from './memory.ts';
import type { Unit } from './world.ts';

export function noteFacts(draft: Draft): void {
  for (const unit of draft.world.units) {
    noteProvider(draft, unit);
    if (unit.serving && !unit.ledger.served) {
      act(draft, { kind: 'confirm', uuid: unit.uuid, reason: `its instance serves${sinceClaim(draft, unit)}` });
    }
  }
}

/** How long its start took, where this leader saw all of it. */
function sinceClaim({ memory, input }: Draft, { ledger }: Unit): string {
  const tookMs = ledger.state === 'claimed' ? stateAge(memory, ledger, input.now) : 0;
  return tookMs > 0 ? `, ${(tookMs / 1000).toFixed(1)} s after it was claimed` : '';
}

function noteProvider(draft: Draft, { uuid, ledger, provider }: Unit): void {
  if (!provider) return;
  if (ledger.providerId !== undefined && ledger.providerId !== provider.providerId) {
    const message = `machine ${short(uuid)} is ${ledger.providerId} in the ledger and ${provider.providerId} at the provider: left alone`;
    alarm(draft, 'MACHINE_IDENTITY', message);
    draft.busy.add(uuid);
    return;
  }
  const address = provider.address ?? ledger.address;
  if (ledger.providerId === provider.providerId && ledger.address === address) return;
  const reason = ledger.providerId ? 'the provider tells its address' : 'the provider lists what was asked for';
  act(draft, { kind: 'note', uuid, providerId: provider.providerId, ...(address ? { address } : {}), reason });
}
