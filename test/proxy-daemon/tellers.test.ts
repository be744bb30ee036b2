/** When the daemon writes what it tells people. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { installStaticFiles } from '../../proxy-daemon/nginx/static-files.ts';
import type { StatusReport } from '../../proxy-daemon/status-report.ts';
import { Tellers } from '../../proxy-daemon/tellers.ts';
import { eventually } from '../helpers/eventually.ts';
import { fixedDocuments } from '../helpers/fixed-documents.ts';
import { ManualClock } from '../helpers/manual-clock.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const mark = (generation: number) => ({ generation, asOf: 0 });

function statusOf(generation: number): StatusReport {
  return {
    ...{ gateway: 'g1', url: 'http://127.0.0.1', mode: 'dynamic', modeReason: '', pid: 1, at: 0, startedAt: 0 },
    ...{ served: mark(generation), drained: mark(generation), environment: null },
    registry: { connected: true, since: 0, reason: '' },
    ...{
      holding: '',
      problem: `generation ${generation} here`,
      alarm: '',
      tls: null,
      tables: [],
      routes: [],
      rejected: [],
    },
    document: { digest: '', operations: 0, sources: [] },
    ...{ publications: [], revivals: 0, reloads: 0, doors: [], rollouts: [] },
  };
}

test('the page waits until the first requests of a change had their turn, and comes even while more changes', async (t) => {
  const clock = new ManualClock();
  const paths = gatewayPaths(await tempDir(t));
  installStaticFiles(paths);
  const { source } = fixedDocuments('told');
  const backend = () => {
    throw new Error('nobody asks');
  };
  const tellers = new Tellers({ paths, gateway: 'g1', clock, documents: source, backend });
  const shown = () =>
    existsSync(paths.statusPage) && /generation (\d+) here/.exec(readFileSync(paths.statusPage, 'utf8'))?.[1];
  tellers.say(statusOf(1));
  await eventually('the first is written at once', () => shown() === '1');
  await clock.advance(5000);
  tellers.say(statusOf(2));
  t.is(shown(), '1');
  // One change after the other, each sooner than the page may come after it.
  for (let generation = 3; generation <= 5; generation += 1) {
    await clock.advance(40);
    tellers.say(statusOf(generation));
  }
  await eventually('the page is written', () => shown() === '5');
});
