/**
 * A process that stands for leadership and, once it leads, writes under its epoch without end, even after its term's signal:
 * what a leader does that does not know it was deposed. Tells each outcome as a line. Arguments: connect string, id.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { commit } from '../../registrar/recipes/epoch-guard.ts';
import { LeaderLatch } from '../../registrar/recipes/leader-latch.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { isMcpError } from '../../specs/errors.ts';

const [connectString = '', id = ''] = process.argv.slice(2);
const client = await connectZooKeeper(connectString, { sessionTimeoutMs: 2_000 });
const latch = new LeaderLatch({ client, clock: systemClock, id });
const never = new AbortController().signal;

await latch.run(async ({ epoch, signal }) => {
  console.log(`leads ${epoch}`);
  for (let act = 0; ; act += 1) {
    const path = `/events/${id}-${epoch}-${act}`;
    try {
      await commit(client, epoch, [{ op: 'create', path }]);
      console.log(`wrote ${epoch}`);
    } catch (error) {
      console.log(`refused ${isMcpError(error) ? error.code : String(error)} ${signal.aborted ? 'told' : 'untold'}`);
    }
    await pause(20);
  }
}, never);
