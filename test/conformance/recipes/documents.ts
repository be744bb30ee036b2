/** What documents and the event log promise on any registry. */
import type { TestFn } from 'ava';
import { listHistory, publishDesired, readDesired, readHistory } from '../../../registrar/recipes/desired-document.ts';
import { appendEvent, eventOp, followEvents, readEvents, trimEvents } from '../../../registrar/recipes/event-log.ts';
import { readSuspended, resume, suspend } from '../../../registrar/recipes/suspension.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { declaration, event, formatted, type OpenRegistry } from './shared.ts';

export function testDocuments(test: TestFn, open: OpenRegistry): void {
  test('generations are declared one after the other, by any number of writers, and all are kept', async (t) => {
    const { connect, client } = await formatted(t, open);
    t.is(await readDesired(client), null);
    const clients = await Promise.all([connect(), connect(), connect()]);
    const declared = await Promise.all(
      clients.map((one, index) => publishDesired(one, declaration(`writer ${index}`))),
    );
    t.deepEqual(declared.map((record) => record.generation).sort(), [1, 2, 3]);
    t.deepEqual(await listHistory(client), [1, 2, 3]);
    const now = await readDesired(client);
    t.is(now?.record.generation, 3);
    t.deepEqual(await readHistory(client, 3), now?.record);
    t.is(await readHistory(client, 4), null);
  });

  test('a declaration made from an older generation is refused', async (t) => {
    const { client } = await formatted(t, open);
    await publishDesired(client, { ...declaration('ann'), expectGeneration: 0 });
    await publishDesired(client, { ...declaration('ben'), expectGeneration: 1 });
    const late = publishDesired(client, { ...declaration('cat'), expectGeneration: 1 });
    await t.throwsAsync(late, { code: 'GENERATION_STALE', message: /generation 2 by operator:ben/ });
    t.is((await readDesired(client))?.record.author, 'operator:ben');
  });

  test('the brake goes on and off, and keeps its first reason', async (t) => {
    const { client } = await formatted(t, open);
    await suspend(client, { reason: 'sick network', by: 'operator:ann', at: 1 });
    const again = await suspend(client, { reason: 'me too', by: 'operator:ben', at: 2 });
    t.is(again.record.reason, 'sick network');
    t.true((await readSuspended(client)).record.suspended);
    const off = await resume(client, { reason: 'healed', by: 'operator:ann', at: 3 });
    t.false(off.record.suspended);
    t.deepEqual(await readSuspended(client), off);
  });

  test('events are kept in order, followed as they come, and trimmed to the newest', async (t) => {
    const { client } = await formatted(t, open);
    await appendEvent(client, event('one'));
    const stop = new AbortController();
    const followed: string[] = [];
    const following = (async () => {
      for await (const one of followEvents(client, systemClock, { signal: stop.signal })) followed.push(one.message);
    })();
    await eventually('the follower has the old one', () => followed.length === 1);
    await client.multi([eventOp(event('two'))]);
    const { sequence } = await appendEvent(client, event('three'));
    await eventually('the follower has all', () => followed.length === 3);
    t.deepEqual(followed, ['one', 'two', 'three']);
    stop.abort();
    await following;
    t.deepEqual(
      (await readEvents(client, { limit: 2 })).map((one) => one.message),
      ['two', 'three'],
    );
    t.is(await trimEvents(client, 1), 2);
    t.deepEqual(await readEvents(client), [{ ...event('three'), sequence }]);
  });
}
