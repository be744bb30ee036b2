/** Machines that the provider says run no more: gateways drop them at once, without waiting for a session to expire. */
import { providerWord } from '../../vm-factory/pool/next-machine-state.ts';
import { quietReason } from './brakes.ts';
import { act, alarm, type Draft, type ServiceView, waitFor } from './draft.ts';
import { ageOf } from './memory.ts';
import type { Because } from './plan.ts';
import type { Unit } from './world.ts';

export function buryDead(draft: Draft): void {
  const doubts = { shrunk: providerShrank(draft), services: new Map(draft.services.map((one) => [one.name, one])) };
  for (const unit of draft.world.units) {
    if (unit.condition === 'awaited') buryNeverMade(draft, unit);
    else if (unit.ledger.state === 'deleting') buryDestroyed(draft, unit);
    else if (unit.condition === 'gone' || unit.condition === 'stopped') buryLost(draft, unit, doubts);
  }
}

/** What speaks against the provider's word. */
interface Doubts {
  /** Why its whole list is doubted, or null. */
  shrunk: string | null;
  services: ReadonlyMap<string, ServiceView>;
}

/** The creation was written down and never came to be. If it still lands, it is found as an orphan. */
function buryNeverMade(draft: Draft, unit: Unit): void {
  const { memory, policy, snapshot, input } = draft;
  const isForsaken = unit.ledger.epoch < snapshot.epoch;
  const patience = isForsaken ? Math.min(policy.forsakenMs, policy.unlistedMs) : policy.unlistedMs;
  if (ageOf(memory, 'unlisted', unit.uuid, input.now) < patience) return;
  act(draft, { kind: 'bury', uuid: unit.uuid, reason: 'its creation never showed at the provider' });
}

function buryDestroyed(draft: Draft, unit: Unit): void {
  if (unit.condition !== 'gone') return;
  act(draft, { kind: 'bury', uuid: unit.uuid, reason: 'destroyed: the provider lists it no more' });
}

function buryLost(draft: Draft, unit: Unit, doubts: Doubts): void {
  const doubt = reasonToDoubt(draft, unit, doubts);
  if (doubt) {
    const why = `the provider says it is ${unit.condition}, but it is registered; ${doubt.why}`;
    waitFor(draft, unit.uuid, { cause: doubt.cause, why });
    return;
  }
  if (unit.condition === 'gone') {
    act(draft, { kind: 'bury', uuid: unit.uuid, reason: 'the provider lists it no more' });
  } else {
    const reason = `the provider says it is ${unit.provider ? providerWord(unit.provider) : 'stopped'}`;
    act(draft, { kind: 'condemn', uuid: unit.uuid, operation: draft.input.newId(), reason });
  }
}

/** A machine that the registry still knows to live is not buried on the provider's word alone when many are to go. */
function reasonToDoubt(draft: Draft, unit: Unit, { shrunk, services }: Doubts): Because | null {
  if (!unit.registration && !unit.observed.agent) return null;
  if (unit.condition === 'gone' && shrunk) return { cause: 'provider', why: shrunk };
  if (!unit.registration) return null;
  const quiet = quietReason(draft);
  if (quiet) return quiet;
  const service = services.get(unit.ledger.claim?.service ?? '');
  if (!service) return null;
  const { mass, live, level } = service;
  const why = `mass failure: ${live} of lately ${level} instances are live, so its session's end is awaited`;
  return mass ? { cause: 'mass-failure', why } : null;
}

/** Most of the machines missing at once is taken for a sick provider first (an empty set once meant "everything"). */
function providerShrank(draft: Draft): string | null {
  const known = draft.world.units.filter(({ ledger }) => ledger.state !== 'building' && ledger.state !== 'deleting');
  const gone = known.filter((unit) => unit.condition === 'gone' && unit.observed.agent !== null).length;
  if (gone < 3 || gone * 2 <= known.length) return null;
  const message = `the provider lists ${gone} of ${known.length} machines no more, though their agents are connected`;
  alarm(draft, 'PROVIDER_SHRANK', message);
  return message;
}
