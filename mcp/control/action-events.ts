/** P16: the line in the event log that goes with each act, in the same multi. */

import { declaring } from '../../registrar/recipes/desired-document.ts';
import type { EventRecord } from '../../registrar/records.ts';
import type { Action } from '../plan/plan.ts';
import type { ObservedMachine } from '../plan/snapshot.ts';

interface EventFacts {
  actor: string;
  epoch: number;
  /** ms since the Unix epoch. */
  now: number;
  machine: ObservedMachine | undefined;
  /** The generation that is made true. */
  generation: number;
}

/** Null for what only writes down what others told. */
export function eventOf(action: Action, { actor, epoch, now, machine, generation }: EventFacts): EventRecord | null {
  const words = wordsOf(action, machine);
  if (!words) return null;
  const hasMachine = action.kind !== 'configure' && action.kind !== 'roll';
  const claim = machine?.record.claim;
  const { service, version } = instanceOf(action) ?? claim ?? {};
  const operation = operationOf(action, machine, generation);
  return {
    at: now,
    actor,
    kind: words.kind,
    ...(service === undefined ? {} : { service }),
    ...(version === undefined ? {} : { version }),
    ...(hasMachine ? { machine: action.uuid } : {}),
    message: words.message,
    reason: action.reason,
    epoch,
    operation,
  };
}

/** What it belongs to: its own operation, else the one that it completes. */
function operationOf(action: Action, machine: ObservedMachine | undefined, generation: number): string {
  if ('operation' in action) return action.operation;
  const { tombstone, claim, operation } = machine?.record ?? {};
  const completed = action.kind === 'confirm' ? claim?.operation : tombstone?.operation;
  return completed ?? operation ?? declaring(generation);
}

/** What an action itself says that it is about. */
function instanceOf(action: Action): { service: string; version?: string } | null {
  if ('runs' in action) return action.runs;
  return 'service' in action ? action : null;
}

function wordsOf(action: Action, machine: ObservedMachine | undefined): { kind: string; message: string } | null {
  const name = 'uuid' in action ? `machine ${action.uuid.slice(0, 8)}` : '';
  const claim = machine?.record.claim;
  const instance = claim ? `${claim.service}@${claim.version} on ${name}` : name;
  switch (action.kind) {
    case 'note':
      return null;
    case 'create': {
      const from = action.template === undefined ? '' : `, from service template ${action.template}`;
      return { kind: 'machine.creating', message: `${name} is created from image ${action.image}${from}` };
    }
    case 'confirm':
      return { kind: 'instance.serving', message: `${instance} serves` };
    case 'advance':
      return { kind: `machine.${action.to}`, message: `${name} is ${action.to}` };
    case 'claim': {
      const how = action.warm ? ', which runs there already' : '';
      return { kind: 'machine.claimed', message: `${name} is claimed for ${action.service}@${action.version}${how}` };
    }
    case 'drain':
      return { kind: 'machine.draining', message: `${instance} drains` };
    case 'retire':
      return { kind: 'machine.retired', message: `${instance} is to be destroyed` };
    case 'condemn':
      return { kind: 'machine.died', message: `${instance} died and is to be destroyed` };
    case 'adopt':
      return { kind: 'machine.adopted', message: `${name} is an orphan and is to be destroyed` };
    case 'readmit': {
      const what = action.runs ? `as an instance of ${action.runs.service}@${action.runs.version}` : 'to be verified';
      return { kind: 'machine.readmitted', message: `${name} enters the ledger again, ${what}` };
    }
    case 'destroy':
      return { kind: 'machine.destroying', message: `the provider is asked to destroy ${name}` };
    case 'bury':
      return { kind: 'machine.gone', message: `${instance} is gone` };
    case 'roll': {
      const { said, service, version } = action;
      return (
        said && { kind: `rollout.${said.phase}`, message: `the rollout of ${service} to ${version} is ${said.phase}` }
      );
    }
    case 'configure':
      return { kind: 'service.configured', message: `the configuration of ${action.service} is published` };
  }
}
