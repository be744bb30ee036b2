/** Writes down what the provider and the registrations tell: the ledger knows before anything is done. */
import { act, alarm, type Draft, short } from './draft.ts';
import type { Unit } from './world.ts';

export function noteFacts(draft: Draft): void {
  for (const unit of draft.world.units) {
    noteProvider(draft, unit);
    if (unit.serving && !unit.ledger.served) {
      act(draft, { kind: 'confirm', uuid: unit.uuid, reason: 'its instance serves' });
    }
  }
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
