/** What leader latch and epoch guard promise on any registry. */
import type { TestFn } from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { commit } from '../../../registrar/recipes/epoch-guard.ts';
import { eventOp } from '../../../registrar/recipes/event-log.ts';
import { LeaderLatch, readLeader } from '../../../registrar/recipes/leader-latch.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { event, formatted, type OpenRegistry } from './shared.ts';

export function testLatch(test: TestFn, open: OpenRegistry): void {
  test('the next contender leads with a later epoch when the leader goes, and the old epoch writes no more', async (t) => {
    const { connect, client } = await formatted(t, open);
    const first = stand(await connect(), 'first');
    const one = await eventually('the first leads', () => first.terms.at(-1));
    const second = stand(await connect(), 'second');
    await eventually('the second is in line', async () => (await client.children(paths.leader)).children.length === 2);
    t.is(await readLeader(client), 'first');
    t.is(second.terms.length, 0);
    const note = { op: 'create', path: `${paths.machines}/a`, data: '' } as const;
    t.deepEqual(
      (await commit(client, one.epoch, [note])).map((result) => result.path),
      [note.path],
    );
    await first.stop();
    const two = await eventually('the second leads', () => second.terms.at(-1));
    t.true(two.epoch > one.epoch);
    t.is(await readLeader(client), 'second');
    await t.throwsAsync(commit(client, one.epoch, [{ ...note, path: `${paths.machines}/b` }]), { code: 'EPOCH_LOST' });
    t.is(await client.exists(`${paths.machines}/b`), null);
    await second.stop();
    t.deepEqual((await client.children(paths.leader)).children, []);
  });

  test('three contenders whose leaders keep resigning never share an epoch nor lead at once', async (t) => {
    const { connect, client } = await formatted(t, open);
    const epochs: number[] = [];
    let leading = 0;
    let most = 0;
    const stop = new AbortController();
    const runs = ['a', 'b', 'c'].map(async (id) => {
      const latch = new LeaderLatch({ client: await connect(), clock: systemClock, id });
      await latch.run(async ({ epoch, signal }) => {
        leading += 1;
        most = Math.max(most, leading);
        epochs.push(epoch);
        await commit(client, epoch, [eventOp(event(`term ${epoch}`))], { signal });
        leading -= 1;
      }, stop.signal);
    });
    await eventually('there were many terms', () => epochs.length >= 8);
    stop.abort();
    await Promise.all(runs);
    t.is(most, 1);
    t.is(new Set(epochs).size, epochs.length);
    t.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    );
  });

  test('a write that finds something else than was observed is a conflict, not a lost epoch', async (t) => {
    const { client } = await formatted(t, open);
    const { stat } = await client.get(paths.epoch);
    const error = await t.throwsAsync(
      commit(client, stat.version, [
        { op: 'check', path: paths.suspended, version: 0 },
        { op: 'set', path: paths.desired, data: 'x', version: 3 },
      ]),
      { code: 'WRITE_CONFLICT' },
    );
    t.like(error, { details: { index: 1, path: paths.desired } });
  });

  test('a term ends when the epoch moves', async (t) => {
    const { connect, client } = await formatted(t, open);
    const contender = stand(await connect(), 'first');
    const term = await eventually('it leads', () => contender.terms[0]);
    await client.set(paths.epoch, encode(codecs.epoch, { leader: 'someone', at: 1 }));
    await eventually('the term ends', () => term.signal.aborted);
    t.is(term.signal.reason.code, 'EPOCH_LOST');
    const next = await eventually('it leads anew', () => contender.terms[1]);
    t.is(next.epoch, term.epoch + 2);
    await contender.stop();
  });
}

/** Stands for leadership; a term lasts until its signal aborts. */
function stand(client: RegistryClient, id: string) {
  const terms: { epoch: number; signal: AbortSignal }[] = [];
  const stop = new AbortController();
  const run = new LeaderLatch({ client, clock: systemClock, id }).run(async (term) => {
    terms.push(term);
    await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
  }, stop.signal);
  return {
    terms,
    stop: async () => {
      stop.abort();
      await run;
    },
  };
}
