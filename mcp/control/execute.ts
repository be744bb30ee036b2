/**
 * Makes a plan true. Every action is one multi that checks the epoch (P8), the brake (P13), what was observed, and logs itself
 * (P16); what the provider is asked follows, in calls of its own. A kill at any point leaves what the next leader understands.
 */
import { paths } from '../../registrar/layout.ts';
import { commit } from '../../registrar/recipes/epoch-guard.ts';
import { eventOp } from '../../registrar/recipes/event-log.ts';
import { mapBounded } from '../../registrar/recipes/map-bounded.ts';
import type { MultiOp, MultiResult, RegistryClient } from '../../registrar/registry-client.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { checkPlan, type TermFacts } from '../plan/check-plan.ts';
import type { Action, Plan } from '../plan/plan.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import { eventOf } from './action-events.ts';
import { type WriteFacts, writesOf } from './action-writes.ts';
import type { ExecuteInput } from './execute-input.ts';
import { createMachine, destroyMachine } from './provider-calls.ts';

/**
 * `conflict`: something was not as observed, nothing was done, the next look decides. `unknown`: the connection broke, it may
 * have been done. `failed`: anything else, with the error.
 */
export interface ActionOutcome {
  action: Action;
  result: 'done' | 'conflict' | 'unknown' | 'failed';
  error?: McpError;
}

/** Actions under way at a time; those that spend one budget go one after the other. */
const parallel = 32;

/**
 * Executes a plan made from `snapshot`. Resolves when all its registry writes are answered; the provider's calls go on in
 * `slowCalls`. Rejects with PLAN_REFUSED (the checker objects; nothing was done), EPOCH_LOST, or the signal's reason.
 */
export async function execute(
  input: ExecuteInput,
  snapshot: Snapshot,
  plan: Plan,
  term: TermFacts,
): Promise<ActionOutcome[]> {
  if (snapshot.epoch !== input.epoch) {
    throw new McpError('EPOCH_LOST', `epoch ${input.epoch} is over: it is ${snapshot.epoch} now`);
  }
  const violations = checkPlan(snapshot, plan, term);
  if (violations.length > 0) {
    const said = violations.map(({ promise, message }) => `${promise}: ${message}`).join('; ');
    throw new McpError('PLAN_REFUSED', `the plan was refused: ${said}`, {
      hint: 'This is a fault in MCP; nothing was done. Report it with the details.',
      details: { violations },
    });
  }
  const budgetVersions = new Map(Object.entries(snapshot.budgets).map(([name, { version }]) => [name, version]));
  const machines = new Map(snapshot.machines.map((machine) => [machine.record.uuid, machine]));
  const run = new Execution(input, snapshot, { machines, budgetVersions });
  const outcomes = await mapBounded(inQueues(plan.actions), parallel, async (queue) => {
    const done: ActionOutcome[] = [];
    for (const action of queue) done.push(await run.act(action));
    return done;
  });
  return outcomes.flat();
}

/** Actions that spend one budget stay in order, since each writes what the one before left. */
function inQueues(actions: readonly Action[]): Action[][] {
  const queues: Action[][] = [];
  const byBudget = new Map<string, Action[]>();
  for (const action of actions) {
    const budget = 'budget' in action ? action.budget : null;
    const queue = budget === null ? undefined : byBudget.get(budget);
    if (queue) {
      queue.push(action);
      continue;
    }
    const own = [action];
    queues.push(own);
    if (budget !== null) byBudget.set(budget, own);
  }
  return queues;
}

class Execution {
  readonly #input: ExecuteInput;
  readonly #snapshot: Snapshot;
  readonly #machines: WriteFacts['machines'];
  readonly #budgetVersions: Map<string, number>;
  readonly #prepared = new Set<string>();

  constructor(
    input: ExecuteInput,
    snapshot: Snapshot,
    known: { machines: WriteFacts['machines']; budgetVersions: Map<string, number> },
  ) {
    this.#input = input;
    this.#snapshot = snapshot;
    this.#machines = known.machines;
    this.#budgetVersions = known.budgetVersions;
  }

  async act(action: Action): Promise<ActionOutcome> {
    const { signal, failpoint, slowCalls } = this.#input;
    signal.throwIfAborted();
    if ('uuid' in action && slowCalls.isBusy(action.uuid)) return { action, result: 'conflict' };
    try {
      await failpoint?.(`${action.kind}.before`);
      await this.#write(action);
      await failpoint?.(`${action.kind}.after`);
    } catch (error) {
      return { action, ...outcomeOf(error, signal) };
    }
    const suspendedVersion = this.#snapshot.suspended.version;
    if (action.kind === 'create') createMachine(this.#input, action, suspendedVersion);
    if (action.kind === 'destroy') destroyMachine(this.#input, action, suspendedVersion);
    return { action, result: 'done' };
  }

  async #write(action: Action): Promise<void> {
    const { client, epoch, actor, signal, clock, provider, listener, access } = this.#input;
    const now = clock.now();
    const machine = 'uuid' in action ? this.#machines.get(action.uuid) : undefined;
    const remains = action.kind === 'bury' ? await remainsOf(client, action.uuid, signal) : nothing;
    if (action.kind === 'claim') await this.#prepareVersion(action);
    if (action.kind === 'configure') await this.#prepareService(action.service);
    const ops: MultiOp[] = [
      ...this.#brake(action),
      ...writesOf(action, {
        snapshot: this.#snapshot,
        epoch,
        actor,
        now,
        provider: provider.name,
        machines: this.#machines,
        budgetVersions: this.#budgetVersions,
        ...remains,
        serviceKey: access && ((service) => access.serviceKey(service)),
      }),
    ];
    const generation = this.#snapshot.desired?.record.generation ?? 0;
    const event = eventOf(action, { actor, epoch, now, machine, generation });
    if (event) ops.push(eventOp(event));
    const results = await commit(client, epoch, ops, { signal });
    listener.wrote(highestZxid(results));
    if ('budget' in action)
      this.#budgetVersions.set(action.budget, (this.#budgetVersions.get(action.budget) ?? -1) + 1);
  }

  /** After a registry was lost, what serves can register again before anything is claimed. */
  async #prepareService(name: string): Promise<void> {
    const services = this.#snapshot.desired?.record.environment.services ?? [];
    for (const { versions } of services.filter((service) => service.name === name))
      for (const { version } of versions) await this.#prepareVersion({ service: name, version });
  }

  /** Where instances register: machines may not make it themselves. */
  async #prepareVersion({ service, version }: { service: string; version: string }): Promise<void> {
    const { client, access, signal } = this.#input;
    const path = paths.version(service, version);
    if (!access || this.#prepared.has(path)) return;
    for (const node of [paths.service(service), path]) {
      if ((await client.exists(node, { signal })) !== null) continue;
      await client.create(node, '', { signal }).catch((error: unknown) => {
        if (!isMcpError(error, 'REGISTRY_NODE_EXISTS')) throw error;
      });
    }
    this.#prepared.add(path);
  }

  /** P13: what only writes down what others told goes on while suspended. */
  #brake(action: Action): MultiOp[] {
    if (action.kind === 'note' || action.kind === 'confirm') return [];
    return [{ op: 'check', path: paths.suspended, version: this.#snapshot.suspended.version }];
  }
}

const nothing: Pick<WriteFacts, 'children' | 'endedBefore'> = { children: [], endedBefore: false };

/** What else a burial must know of a machine's nodes. */
async function remainsOf(client: RegistryClient, uuid: string, signal: AbortSignal): Promise<typeof nothing> {
  const [{ children }, ended] = await Promise.all([
    client.children(paths.machine(uuid), { signal }),
    client.exists(paths.ended(uuid), { signal }),
  ]);
  return { children, endedBefore: ended !== null };
}

function highestZxid(results: readonly MultiResult[]): number {
  return results.reduce((highest, { stat }) => Math.max(highest, stat?.mzxid ?? 0), 0);
}

/** What an error means for this one action; rethrows what ends the whole execution. */
function outcomeOf(error: unknown, signal: AbortSignal): Omit<ActionOutcome, 'action'> {
  if (signal.aborted) throw signal.reason;
  if (!(error instanceof McpError) || isMcpError(error, 'EPOCH_LOST')) throw error;
  if (isMcpError(error, 'WRITE_UNKNOWN')) return { result: 'unknown', error };
  if (isMcpError(error, 'WRITE_CONFLICT', 'REGISTRY_NO_NODE')) return { result: 'conflict', error };
  return { result: 'failed', error };
}
