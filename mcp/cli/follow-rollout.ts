/** Watches a rollout to its end: a tree that is redrawn in a terminal, a line a step elsewhere. It goes on without us. */
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { readWorld } from '../control/read-status.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { type RolloutView, rolloutViews } from '../view/rollout-view.ts';
import type { Context } from './context.ts';
import { cut } from './output.ts';
import { renderEntry, renderTree } from './render-rollout.ts';

const lookMs = 250;
/** Without a terminal: what it waits for is said when it has changed and this long has passed. */
const sayMs = 10_000;

/**
 * Resolves with the rollout as it is at its end, or as it was after `timeoutMs`. When interrupted it says that the rollout
 * goes on, and rejects.
 */
export async function followRollout(
  context: Context,
  client: RegistryClient,
  service: string,
  timeoutMs: number,
): Promise<RolloutView> {
  const screen = makeScreen(context);
  const deadline = systemClock.monotonic() + timeoutMs;
  try {
    for (;;) {
      const view = await readRolloutView(context, client, service);
      screen.show(view);
      if (!isActive(view) || systemClock.monotonic() > deadline) return view;
      await systemClock.sleep(lookMs, context.signal);
    }
  } catch (error) {
    if (context.signal.aborted) context.note(`\nThe rollout goes on without you. ${whatNext(service)}`);
    throw error;
  }
}

/** Commands for a rollout under way. */
export function whatNext(service: string): string {
  return `mcp rollouts ${service} shows it; mcp rollouts pause ${service} holds it; mcp abort ${service} takes it back.`;
}

/** The service's rollout as it is now. */
async function readRolloutView(context: Context, client: RegistryClient, service: string): Promise<RolloutView> {
  const { registry, controller } = await readWorld(client, context.reading());
  const views = rolloutViews(registry, controller?.waiting ?? [], systemClock.now());
  const view = views.find((one) => one.service === service);
  if (!view) throw new Error(`${service} has lost its rollout`);
  return view;
}

interface Screen {
  show(view: RolloutView): void;
}

function makeScreen(context: Context): Screen {
  if (context.json) return { show: () => undefined };
  return process.stderr.isTTY === true ? treeScreen(context) : lineScreen(context);
}

function treeScreen(context: Context): Screen {
  let drawn = 0;
  return {
    show(view) {
      const width = (process.stderr.columns ?? 100) - 1;
      const height = (process.stderr.rows ?? 40) - 1;
      const lines = renderTree(view, systemClock.now(), context.color).slice(0, height);
      // Up to where the last tree began, and all below it anew; lines that wrap would be miscounted.
      const up = drawn > 0 ? `\x1b[${drawn}F` : '';
      process.stderr.write(`\x1b[?7l${up}\x1b[J${lines.map((line) => cut(line, width)).join('\n')}\n\x1b[?7h`);
      drawn = lines.length;
    },
  };
}

function lineScreen(context: Context): Screen {
  let told = 0;
  let said = '';
  let saidAt = systemClock.monotonic();
  return {
    show({ log, waits, etaMs }) {
      for (const entry of log.slice(told)) context.note(renderEntry(entry, false));
      if (log.length > told) saidAt = systemClock.monotonic();
      told = log.length;
      if (waits === said || waits === '' || systemClock.monotonic() - saidAt < sayMs) return;
      const eta = etaMs === null ? '' : ` (about ${Math.ceil(etaMs / 1000)} s left)`;
      context.note(`          waits      ${waits}${eta}`);
      said = waits;
      saidAt = systemClock.monotonic();
    },
  };
}
