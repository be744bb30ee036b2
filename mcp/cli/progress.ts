/** Steps of something that takes longer than a second: a live line in a terminal, plain lines elsewhere, nothing with --json. */
import type { Progress } from '../local/progress.ts';
import type { Context } from './context.ts';
import { paint } from './output.ts';

export interface Steps extends Progress {
  /** The last step went well. */
  done(): void;
  /** The last step failed. */
  fail(): void;
}

const tellEveryMs = 5000;

/** Progress on stderr with each step's time. */
export function makeProgress(context: Context): Steps {
  const live = !context.json && process.stderr.isTTY === true;
  let title = '';
  let started = 0;
  let told = 0;
  let last = '';
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const end = (mark: string) => {
    if (!title) return;
    if (live) process.stderr.write('\r\x1b[K');
    context.note(`${mark} ${title} ${paint(live, 'dim', `(${seconds()})`)}`);
    title = '';
  };
  return {
    start(next) {
      end(paint(live, 'green', '✔'));
      title = next;
      started = performance.now();
      told = started;
      last = '';
      if (live) process.stderr.write(`… ${title}`);
    },
    tell(detail) {
      if (live) {
        const text = `… ${title}: ${detail} ${seconds()}`;
        process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 100) - 1)}`);
      } else if (detail !== last && performance.now() - told > tellEveryMs) {
        context.note(`  ${title}: ${detail}`);
        told = performance.now();
        last = detail;
      }
    },
    done: () => end(paint(live, 'green', '✔')),
    fail: () => end(paint(live, 'red', '✘')),
  };
}
