/** Ours beside ZooKeeper's own Java client on one server: what one writes the other must read, byte by byte. */
import test from 'ava';
import type { RegistryClient, Stat, WatchEvent, WatchNotice } from '../../../registrar/registry-client.ts';
import { digestAcl } from '../../../registrar/zookeeper/acl.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { eventually } from '../../helpers/eventually.ts';
import { JavaCli } from '../../helpers/java-cli.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';
import { startZooKeeper } from '../../helpers/zookeeper.ts';

let server: TestZooKeeper;
let java: JavaCli;
let ours: RegistryClient;

test.before(async () => {
  server = await startZooKeeper({ javaOptions: '-Dznode.container.checkIntervalMs=200' });
  java = new JavaCli(server.connectString);
  ours = await connectZooKeeper(server.connectString);
});
test.after.always(async () => {
  await ours?.close();
  await java?.quit();
  await server?.stop();
});

/** What the Java client prints of a stat, as ours gives it; times to the second. */
function printedStat(text: string): Partial<Stat> & { seconds: number[] } {
  const field = (name: string) => new RegExp(`^${name} = (.*)$`, 'm').exec(text)?.[1] ?? `no ${name} in ${text}`;
  const owner = field('ephemeralOwner');
  return {
    czxid: Number(field('cZxid')),
    mzxid: Number(field('mZxid')),
    pzxid: Number(field('pZxid')),
    version: Number(field('dataVersion')),
    cversion: Number(field('cversion')),
    aversion: Number(field('aclVersion')),
    ephemeralOwner: owner === '0x0' ? null : owner,
    dataLength: Number(field('dataLength')),
    numChildren: Number(field('numChildren')),
    seconds: [Date.parse(field('ctime')), Date.parse(field('mtime'))],
  };
}

function ourStat({ ctime, mtime, ...rest }: Stat): Partial<Stat> & { seconds: number[] } {
  return { ...rest, seconds: [ctime, mtime].map((ms) => Math.floor(ms / 1000) * 1000) };
}

async function compareStats(t: { deepEqual(a: unknown, b: unknown): void }, path: string): Promise<void> {
  const stat = await ours.exists(path);
  t.deepEqual(stat && ourStat(stat), printedStat(await java.run(`stat ${path}`)));
}

test.serial('bytes and stats are the same for both, whoever wrote them', async (t) => {
  await java.run('create /theirs "grüße, 世界"');
  t.is((await ours.get('/theirs')).data.toString(), 'grüße, 世界');
  await ours.create('/ours', 'żółw €\twith\\backslash');
  t.is(await java.run('get /ours'), 'żółw €\twith\\backslash');
  await ours.set('/theirs', 'changed by us', 0);
  t.is(await java.run('get /theirs'), 'changed by us');
  await java.run('set /ours x');
  await java.run('create /ours/child y');
  await ours.delete('/ours/child');
  await ours.create('/ours/second');
  for (const path of ['/', '/theirs', '/ours', '/ours/second']) await compareStats(t, path);
  t.is(await java.run('ls /ours'), '[second]');
});

test.serial('ephemeral nodes have the same owner for both', async (t) => {
  await java.run('create -e /their-ephemeral x');
  await ours.create('/our-ephemeral', 'x', { mode: 'ephemeral' });
  await compareStats(t, '/their-ephemeral');
  await compareStats(t, '/our-ephemeral');
  t.is(printedStat(await java.run('stat /our-ephemeral')).ephemeralOwner, ours.sessionId);
});

test.serial('sequential names continue each other’s count', async (t) => {
  await java.run('create /sequence');
  t.regex(await java.run('create -s /sequence/n- x'), /n-0000000000$/);
  t.is((await ours.create('/sequence/n-', '', { mode: 'persistent-sequential' })).path, '/sequence/n-0000000001');
  t.regex(await java.run('create -s -e /sequence/n- x'), /n-0000000002$/);
  t.is((await ours.create('/sequence/n-', '', { mode: 'ephemeral-sequential' })).path, '/sequence/n-0000000003');
});

test.serial(
  'container and TTL nodes go away by themselves, whoever made them; a used container and a fresh one stay',
  async (t) => {
    await java.run('create -c /their-container');
    await java.run('create -t 600 /their-ttl x');
    await ours.create('/our-container', '', { mode: 'container' });
    await ours.create('/our-ttl', 'x', { mode: 'persistent-ttl', ttlMs: 600 });
    await ours.create('/long-ttl', 'x', { mode: 'persistent-ttl', ttlMs: 600_000 });
    await ours.create('/used-container', '', { mode: 'container' });
    await ours.create('/fresh-container', '', { mode: 'container' });
    for (const path of ['/their-container', '/our-container', '/our-ttl', '/their-ttl']) await compareStats(t, path);
    for (const parent of ['/their-container', '/our-container', '/used-container'])
      await ours.create(`${parent}/child`);
    await ours.delete('/our-container/child');
    await java.run('delete /their-container/child');
    const gone = ['/their-container', '/our-container', '/their-ttl', '/our-ttl'];
    await eventually('containers and TTL nodes to go', async () =>
      (await Promise.all(gone.map((path) => ours.exists(path)))).every((stat) => stat === null),
    );
    for (const path of ['/used-container', '/fresh-container', '/long-ttl']) t.truthy(await ours.exists(path));
  },
);

test.serial('ACLs and credentials mean the same to both', async (t) => {
  await java.run('addauth digest user:secret');
  await java.run('create /their-vault gold auth::cdrwa');
  await t.throwsAsync(ours.get('/their-vault'), { code: 'REGISTRY_NO_AUTH' });
  await ours.addAuth('digest', 'user:secret');
  t.is((await ours.get('/their-vault')).data.toString(), 'gold');
  t.deepEqual((await ours.getAcl('/their-vault')).acl, [digestAcl('user:secret')]);

  const acl = [digestAcl('user:secret', ['read', 'admin']), digestAcl('other:pw', ['write', 'create', 'delete'])];
  await ours.create('/our-vault', 'silver', { acl });
  const printed = (await java.run('getAcl /our-vault')).replaceAll(/\s*\n: /g, ' ').split('\n');
  t.deepEqual(
    printed,
    acl.map(({ id }, index) => `'digest,'${id} ${['ra', 'cdw'][index]}`),
  );
  t.is(await java.run('get /our-vault'), 'silver');
  t.regex(await java.run('set /our-vault tin'), /Insufficient permission|NoAuth|Authentication is not valid/);
});

test.serial('each one’s writes fire the other’s watches', async (t) => {
  await ours.create('/watched', '');
  const events: WatchEvent[] = [];
  const notices: WatchNotice[] = [];
  await ours.get('/watched', { watch: (event) => void events.push(event) });
  const handle = await ours.addWatch('/watched', 'persistent-recursive', (notice) => void notices.push(notice));
  await java.run('set /watched x');
  await java.run('create /watched/child y');
  await eventually('our watches to fire', () => notices.length === 2);
  t.deepEqual(events, [{ type: 'changed', path: '/watched' }]);
  t.deepEqual(notices, [
    { kind: 'event', type: 'changed', path: '/watched' },
    { kind: 'event', type: 'created', path: '/watched/child' },
  ]);
  await handle.close();

  await java.run('get -w /watched');
  await java.run('addWatch -m PERSISTENT_RECURSIVE /watched/child');
  await ours.multi([
    { op: 'set', path: '/watched', data: 'z' },
    { op: 'create', path: '/watched/child/grandchild' },
  ]);
  await java.untilEvent('NodeDataChanged path:/watched');
  await java.untilEvent('NodeCreated path:/watched/child/grandchild');
  t.pass();
});

test.serial('when the Java client quits, we see its ephemeral node go', async (t) => {
  await java.run('create -e /last x');
  const gone = new Promise<WatchEvent>((resolve) => void ours.exists('/last', { watch: resolve }));
  await ours.sync('/');
  await java.quit();
  t.deepEqual(await gone, { type: 'deleted', path: '/last' });
});
