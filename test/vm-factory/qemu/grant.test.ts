import test from 'ava';
import { timeAtGrant } from '../../../vm-factory/guest/inside.ts';
import { seenFromGuest } from '../../../vm-factory/qemu/grant.ts';

test("the host's own loopback has another name inside a machine; everything else stays as it is", (t) => {
  t.is(seenFromGuest('127.0.0.1:2181/mcp'), '10.0.2.2:2181/mcp');
  t.is(seenFromGuest('localhost:2181,127.0.0.1:2182/a/b'), '10.0.2.2:2181,10.0.2.2:2182/a/b');
  t.is(seenFromGuest('192.0.2.7:2181'), '192.0.2.7:2181');
  t.is(seenFromGuest('[2001:db8::1]:2181/mcp'), '[2001:db8::1]:2181/mcp');
});

test("another loopback address of the host can't be reached from inside, which is said at once", (t) => {
  t.throws(() => seenFromGuest('127.0.0.1:2181,127.0.0.2:2181/mcp'), { code: 'PROVIDER_REFUSED' });
});

test("a guest's clock stands at the grant's time, and at its own where it booted by the host's clock meanwhile", (t) => {
  const [now, hour] = [1_700_000_000_000, 3_600_000];
  t.is(timeAtGrant(Date.UTC(2020, 0), now), now, 'a clone');
  t.is(timeAtGrant(now + 20_000, now), now + 20_000, 'booted after the grant was written');
  t.is(timeAtGrant(now + 6 * hour, now), now, "its host's clock was set back while it booted");
  t.is(timeAtGrant(now - 6 * hour, now), now, 'and forward');
});
