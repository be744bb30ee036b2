/**
 * Keeps the daemons of a local environment running: a killed one is started again with growing, jittered pauses (a crash
 * loop must not eat the machine). It looks at processes rather than at its children, so a new supervisor simply goes on.
 */
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { type DaemonSpec, ensureDaemon, findDaemon } from './daemons.ts';
import type { StatePaths } from './state.ts';

const lookEveryMs = 200;
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** A daemon that lived this long is no crash loop: its next pause is the first one again. */
const steadyAfterMs = 30_000;

export interface RestartState {
  startedAt: number;
  pauseMs: number;
}

/**
 * When a daemon that is found dead may start again, and the pause that the next death will cost. `random` in [0, 1) spreads
 * restarts by up to half a pause.
 */
export function nextRestart(state: RestartState, now: number, random: number): { at: number; pauseMs: number } {
  const pauseMs = now - state.startedAt >= steadyAfterMs ? firstPauseMs : state.pauseMs;
  return { at: now + Math.round(pauseMs * (1 + random / 2)), pauseMs: Math.min(pauseMs * 2, longestPauseMs) };
}

/** Runs until the signal aborts; leaves the daemons as they are. */
export async function supervise(
  specs: DaemonSpec[],
  paths: StatePaths,
  { clock, log, random, signal }: { clock: Clock; log: Logger; random: () => number; signal: AbortSignal },
): Promise<void> {
  await Promise.all(specs.map((spec) => superviseOne(spec, paths, { clock, log, random, signal })));
}

async function superviseOne(
  spec: DaemonSpec,
  paths: StatePaths,
  { clock, log, random, signal }: { clock: Clock; log: Logger; random: () => number; signal: AbortSignal },
): Promise<void> {
  let state: RestartState = { startedAt: clock.monotonic(), pauseMs: firstPauseMs };
  while (!signal.aborted) {
    try {
      if (!(await findDaemon(paths, spec.name))) {
        const next = nextRestart(state, clock.monotonic(), random());
        log.warn({ daemon: spec.name, pauseMs: next.at - clock.monotonic() }, 'daemon is not running: starting it');
        await clock.sleep(next.at - clock.monotonic(), signal);
        const identity = await ensureDaemon(paths, spec);
        log.info({ daemon: spec.name, pid: identity.pid }, 'daemon started');
        state = { startedAt: clock.monotonic(), pauseMs: next.pauseMs };
      }
      await clock.sleep(lookEveryMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.error({ daemon: spec.name, error }, 'daemon could not be started');
      await clock.sleep(longestPauseMs, signal).catch(() => undefined);
    }
  }
}
