/**
 * What a rollout had to wait for, seen from outside: the registry's nodes tell when each machine was ordered, joined, was claimed,
 * registered and began to leave, and the rollout's log when it went on. Of its time, that in which no machine was made, no service
 * started, nothing was watched and nobody left is MCP's own.
 */

import { paths } from '../../registrar/layout.ts';
import type { RegistryClient, WatchHandle } from '../../registrar/registry-client.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';

/** ms since the Unix epoch; absent: it was not seen. */
export interface MachineStory {
  version?: string;
  /** Its ledger entry, and with it the order to make it. */
  ordered?: number;
  /** Its agent is there, and its self-test with it. */
  joined?: number;
  claimed?: number;
  registered?: number;
  /** It was told to leave. */
  told?: number;
  /** Its registration says so. */
  leaves?: number;
}

export class StoryWatch {
  readonly #stories = new Map<string, MachineStory>();
  #handles: WatchHandle[] = [];

  static async open(client: RegistryClient): Promise<StoryWatch> {
    const watch = new StoryWatch();
    watch.#handles = await Promise.all(
      [paths.machines, paths.services].map((path) =>
        client.addWatch(path, 'persistent-recursive', (notice) => {
          if (notice.kind === 'event') watch.#note(notice.type, notice.path, Date.now());
        }),
      ),
    );
    return watch;
  }

  async close(): Promise<MachineStory[]> {
    await Promise.all(this.#handles.map((handle) => handle.close()));
    return [...this.#stories.values()];
  }

  #note(type: string, path: string, at: number): void {
    const [, parent, first = '', second, third] = path.split('/');
    const uuid = parent === 'machines' ? first : third;
    if (!uuid) return;
    const story = this.#stories.get(uuid) ?? {};
    this.#stories.set(uuid, story);
    const note = (name: Exclude<keyof MachineStory, 'version'>) => {
      story[name] ??= at;
    };
    if (parent === 'machines') {
      if (type === 'created') note(second === 'assignment' ? 'claimed' : second === 'agent' ? 'joined' : 'ordered');
      else if (type === 'changed' && second === 'assignment') note('told');
      return;
    }
    story.version = second;
    if (type === 'created') note('registered');
    else if (type === 'changed') note('leaves');
  }
}

export interface StageTime {
  /** `25 new`, or `baking`. */
  what: string;
  tookMs: number;
  /** Of that, the time in which somebody else was at work, or a declared time of watching ran. */
  parts: { making: number; starting: number; watching: number; leaving: number };
}

/** The stages of a rollout that is over, by its log. */
export function stagesOf({ log, settings, to }: RolloutRecord, stories: readonly MachineStory[]): StageTime[] {
  const next = to[0]?.version;
  const at = (phase: string) => log.find((entry) => entry.phase === phase)?.at ?? 0;
  const batches = log.filter(({ why }) => / more: \d+ of \d+$/.test(why)).slice(1);
  const starts = [log[0]?.at ?? 0, ...batches.map((entry) => entry.at)];
  const stages = starts.map((from, number): StageTime => {
    const until = starts[number + 1] ?? at('baking');
    const within = (moment = 0) => moment >= from && moment < until;
    const come = stories.filter(({ version, registered }) => version === next && within(registered));
    const leave = stories.filter(({ version, leaves }) => version !== next && within(leaves));
    const making = come.map(({ ordered, joined = 0 }): Span => [Math.max(from, ordered ?? joined), joined]);
    const starting = come.map(({ claimed = 0, registered = 0 }): Span => [claimed, registered]);
    return {
      what: `${come.length} new`,
      tookMs: until - from,
      parts: {
        making: covered(making),
        starting: covered([...making, ...starting]) - covered(making),
        watching: settings.minHealthyMs,
        leaving: Math.max(0, ...leave.map(({ told = 0, leaves = 0 }) => leaves - told)),
      },
    };
  });
  const bake = { making: 0, starting: 0, watching: settings.bakeMs, leaving: 0 };
  return [...stages, { what: 'baking', tookMs: at('done') - at('baking'), parts: bake }];
}

type Span = [from: number, until: number];

/** ms that are within one of the spans or more. */
function covered(spans: readonly Span[]): number {
  let [sum, reached] = [0, Number.NEGATIVE_INFINITY];
  for (const [from, until] of [...spans].sort((a, b) => a[0] - b[0])) {
    sum += Math.max(0, until - Math.max(from, reached));
    reached = Math.max(reached, until);
  }
  return sum;
}
