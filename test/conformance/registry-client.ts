/** What every RegistryClient does, whatever it is made of. Run on the fake and on a real server. */
import type { ExecutionContext, TestFn } from 'ava';
import type { Acl, RegistryClient, SessionState, WatchEvent, WatchNotice } from '../../registrar/registry-client.ts';
import { digestAcl, openAcl } from '../../registrar/zookeeper/acl.ts';
import { isMcpError } from '../../specs/errors.ts';
import { eventually } from '../helpers/eventually.ts';

/** An empty registry (or an empty corner of one) with the faults a test needs. */
export interface RegistryUnderTest {
  connect(options?: { queueLimit?: number; sessionTimeoutMs?: number }): Promise<RegistryClient>;
  /** Breaks the client's connection and keeps it broken; resolves when the client knows. */
  interrupt(client: RegistryClient): Promise<void>;
  /** Lets it connect again; resolves when it is connected. */
  restore(client: RegistryClient): Promise<void>;
  /** Makes its session expire; resolves when the client knows. */
  expire(client: RegistryClient): Promise<void>;
  /** Makes the call, loses its reply together with the connection, and connects again. */
  losingTheReply<T>(client: RegistryClient, call: () => Promise<T>): Promise<T>;
}

type Run = (t: ExecutionContext, registry: RegistryUnderTest) => Promise<void>;

/** Declares the whole suite; `open` gives a registry for one test and cleans up after it by `t.teardown`. */
export function registryClientConformance(
  declare: TestFn,
  open: (t: ExecutionContext) => Promise<RegistryUnderTest>,
): void {
  const test = (title: string, run: Run) => declare(title, async (t) => run(t, await open(t)));
  basics(test);
  creation(test);
  transactions(test);
  watching(test);
  permissions(test);
  sessions(test);
  faults(test);
}

type Declare = (title: string, run: Run) => void;

function basics(test: Declare): void {
  test('a node keeps its bytes, and its stat says what happened to it', async (t, registry) => {
    const client = await registry.connect();
    const data = Buffer.from([0, 255, 10, 13, 128]);
    const created = await client.create('/node', data);
    t.is(created.path, '/node');
    const { czxid, ctime } = created.stat;
    t.is(created.zxid, czxid);
    t.like(created.stat, { mzxid: czxid, pzxid: czxid, mtime: ctime, version: 0, cversion: 0, aversion: 0 });
    t.like(created.stat, { ephemeralOwner: null, dataLength: 5, numChildren: 0 });

    const read = await client.get('/node');
    t.deepEqual(read.data, data);
    t.deepEqual(read.stat, created.stat);
    const changed = await client.set('/node', 'übung', 0);
    t.like(changed, { czxid, ctime, version: 1, dataLength: 6 });
    t.true(changed.mzxid > czxid);
    t.is((await client.get('/node')).data.toString(), 'übung');
    t.deepEqual(await client.exists('/node'), changed);
    t.true(client.lastZxid >= changed.mzxid);
  });

  test('a node without data reads as empty', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/empty');
    t.deepEqual((await client.get('/empty')).data, Buffer.alloc(0));
    await client.set('/empty', 'x');
    await client.set('/empty', '');
    t.is((await client.exists('/empty'))?.dataLength, 0);
  });

  test('several nodes are read at once, and one that is not there hides none of the others', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/one', 'first');
    const { stat } = await client.create('/two');
    const { found, zxid } = await client.getEach(['/one', '/absent', '/two']);
    const [one, absent, two] = found;
    t.deepEqual(
      [one, two],
      [await client.get('/one'), await client.get('/two')].map(({ data, stat }) => ({ data, stat })),
    );
    t.true(isMcpError(absent, 'REGISTRY_NO_NODE') && absent.message.includes('/absent'));
    t.true(zxid >= stat.czxid);
    await refusal(t, client.getEach(['/one', 'two']), 'REGISTRY_BAD_ARGUMENTS');
    const missing = await client.getEach(['/absent']);
    t.true(isMcpError(missing.found[0], 'REGISTRY_NO_NODE'));
  });

  test('children are listed sorted, and their comings and goings are counted in the parent', async (t, registry) => {
    const client = await registry.connect();
    const { stat } = await client.create('/parent');
    for (const name of ['b', 'c', 'a']) await client.create(`/parent/${name}`);
    await client.delete('/parent/c');
    const listed = await client.children('/parent');
    t.deepEqual(listed.children, ['a', 'b']);
    t.like(listed.stat, { numChildren: 2, cversion: 4, version: 0, mzxid: stat.mzxid });
    t.true(listed.stat.pzxid > stat.pzxid);
    t.deepEqual((await client.children('/parent/a')).children, []);
    await client.create('/other');
    t.deepEqual((await client.children('/')).children, ['other', 'parent']);
  });

  test('what is not there is said so', async (t, registry) => {
    const client = await registry.connect();
    t.is(await client.exists('/absent'), null);
    for (const call of [
      () => client.get('/absent'),
      () => client.set('/absent', 'x'),
      () => client.delete('/absent'),
      () => client.children('/absent'),
      () => client.create('/absent/child'),
      () => client.getAcl('/absent'),
      () => client.setAcl('/absent', openAcl),
    ]) {
      const error = await refusal(t, call(), 'REGISTRY_NO_NODE');
      t.regex(error.message, /\/absent/);
    }
  });

  test('a wrong version changes nothing', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/node', 'first');
    await refusal(t, client.set('/node', 'second', 7), 'REGISTRY_BAD_VERSION');
    await refusal(t, client.delete('/node', 7), 'REGISTRY_BAD_VERSION');
    await refusal(t, client.setAcl('/node', openAcl, 7), 'REGISTRY_BAD_VERSION');
    t.is((await client.get('/node')).data.toString(), 'first');
    await client.delete('/node', 0);
    t.is(await client.exists('/node'), null);
  });

  test('a node with children is not deleted, an existing one not made again', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/parent');
    await client.create('/parent/child');
    await refusal(t, client.delete('/parent'), 'REGISTRY_NOT_EMPTY');
    await refusal(t, client.create('/parent'), 'REGISTRY_NODE_EXISTS');
  });

  test('paths that no server takes are refused without asking one', async (t, registry) => {
    const client = await registry.connect();
    for (const path of ['', 'relative', '/ends/', '//', '/a//b', '/a/./b', '/..', '/nul\0', '/bell\u0007', '/\ud800']) {
      await refusal(t, client.create(path), 'REGISTRY_BAD_ARGUMENTS');
      await refusal(t, client.get(path), 'REGISTRY_BAD_ARGUMENTS');
      await refusal(
        t,
        client.addWatch(path, 'persistent', () => {}),
        'REGISTRY_BAD_ARGUMENTS',
      );
      await refusal(t, client.multi([{ op: 'create', path }]), 'REGISTRY_BAD_ARGUMENTS');
    }
    await refusal(t, client.delete('/'), 'REGISTRY_BAD_ARGUMENTS');
    t.is((await client.create('/grüße €')).path, '/grüße €');
  });

  test('more data than a node may hold is refused, and the connection stays', async (t, registry) => {
    const client = await registry.connect();
    await refusal(t, client.create('/large', Buffer.alloc(1_048_576)), 'REGISTRY_TOO_LARGE');
    const data = Buffer.alloc(1_000_000, 7);
    await client.create('/large', data);
    t.true((await client.get('/large')).data.equals(data));
    t.is(client.state, 'connected');
  });
}

function creation(test: Declare): void {
  test('sequential names count the children ever created', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/queue');
    const sequential = { mode: 'persistent-sequential' } as const;
    t.is((await client.create('/queue/n-', '', sequential)).path, '/queue/n-0000000000');
    await client.create('/queue/other');
    await client.delete('/queue/other');
    t.is((await client.create('/queue/n-', '', sequential)).path, '/queue/n-0000000002');
    t.is((await client.create('/queue/', '', sequential)).path, '/queue/0000000003');
    const ephemeral = await client.create('/queue/e-', '', { mode: 'ephemeral-sequential' });
    t.is(ephemeral.path, '/queue/e-0000000004');
    t.is(ephemeral.stat.ephemeralOwner, client.sessionId);
  });

  test('an ephemeral node belongs to its session and has no children', async (t, registry) => {
    const client = await registry.connect();
    const { stat } = await client.create('/mine', 'x', { mode: 'ephemeral' });
    t.is(stat.ephemeralOwner, client.sessionId);
    t.regex(client.sessionId ?? '', /^0x[0-9a-f]+$/);
    await refusal(t, client.create('/mine/child'), 'REGISTRY_NO_CHILDREN_FOR_EPHEMERALS');
  });

  test('container and TTL nodes are no ephemeral nodes', async (t, registry) => {
    const client = await registry.connect();
    const container = await client.create('/container', '', { mode: 'container' });
    const ttl = await client.create('/ttl', 'x', { mode: 'persistent-ttl', ttlMs: 3_600_000 });
    const sequence = await client.create('/ttl-', 'x', { mode: 'persistent-sequential-ttl', ttlMs: 3_600_000 });
    for (const { stat } of [container, ttl, sequence]) t.is(stat.ephemeralOwner, null);
    t.is(sequence.path, '/ttl-0000000002');
    await client.create('/container/child');
    await client.create('/ttl/child');
    for (const ttlMs of [undefined, 0, -1, 1.5, 2 ** 40]) {
      await refusal(t, client.create('/bad', '', { mode: 'persistent-ttl', ttlMs }), 'REGISTRY_BAD_ARGUMENTS');
    }
    await refusal(t, client.create('/bad', '', { ttlMs: 5 }), 'REGISTRY_BAD_ARGUMENTS');
  });
}

function transactions(test: Declare): void {
  test('a multi does all of its operations, in order', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/epoch');
    const results = await client.multi([
      { op: 'check', path: '/epoch', version: 0 },
      { op: 'create', path: '/a', data: 'one' },
      { op: 'create', path: '/a/n-', mode: 'ephemeral-sequential' },
      { op: 'set', path: '/a', data: 'two', version: 0 },
      { op: 'create', path: '/container', mode: 'container' },
      { op: 'create', path: '/ttl', mode: 'persistent-ttl', ttlMs: 3_600_000 },
      { op: 'create', path: '/gone' },
      { op: 'delete', path: '/gone', version: 0 },
    ]);
    t.deepEqual(
      results.map(({ op, path }) => path ?? op),
      ['check', '/a', '/a/n-0000000000', 'set', '/container', '/ttl', '/gone', 'delete'],
    );
    const { data, stat } = await client.get('/a');
    t.is(data.toString(), 'two');
    t.is(results[3]?.stat?.mzxid, stat.mzxid);
    t.is(stat.czxid, stat.mzxid, 'one transaction has one zxid');
    t.is(await client.exists('/gone'), null);
  });

  test('a multi with one failing operation does nothing and names it', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/a', 'one');
    const before = await client.exists('/a');
    const root = await client.exists('/');
    const failing = [
      [{ op: 'check', path: '/a', version: 9 } as const, 'REGISTRY_BAD_VERSION'],
      [{ op: 'create', path: '/a' } as const, 'REGISTRY_NODE_EXISTS'],
      [{ op: 'delete', path: '/absent' } as const, 'REGISTRY_NO_NODE'],
      [{ op: 'set', path: '/a', data: '', version: 0 } as const, 'REGISTRY_BAD_VERSION'],
    ] as const;
    for (const [op, code] of failing) {
      const error = await refusal(
        t,
        client.multi([
          { op: 'set', path: '/a', data: 'changed' },
          { op: 'set', path: '/a', data: 'changed again', version: -1 },
          { op: 'create', path: '/b' },
          { op: 'create', path: '/b/c' },
          op,
          { op: 'create', path: '/d' },
        ]),
        code,
      );
      t.like(error.details, { index: 4, path: op.path });
    }
    t.is((await client.get('/a')).data.toString(), 'one');
    t.deepEqual(await client.exists('/a'), before);
    t.deepEqual(await client.exists('/'), root);
    t.deepEqual((await client.children('/')).children, ['a']);
  });

  test('a multi of nothing has no results', async (t, registry) => {
    const client = await registry.connect();
    t.deepEqual(await client.multi([]), []);
  });

  test('of two that claim the same in one multi each, one wins', async (t, registry) => {
    const clients = await Promise.all([registry.connect(), registry.connect()]);
    await clients[0].create('/machine');
    const outcomes = await Promise.allSettled(
      clients.map((client) =>
        client.multi([
          { op: 'check', path: '/machine', version: 0 },
          { op: 'create', path: '/machine/claim' },
        ]),
      ),
    );
    t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const lost = outcomes.find((outcome) => outcome.status === 'rejected');
    t.true(isMcpError(lost?.reason, 'REGISTRY_NODE_EXISTS'));
  });
}

function watching(test: Declare): void {
  test('a one-shot watch fires once, before any read that shows the change', async (t, registry) => {
    const [watcher, writer] = await Promise.all([registry.connect(), registry.connect()]);
    await writer.create('/node', 'one');
    const seen: (WatchEvent | string)[] = [];
    const watch = (event: WatchEvent) => void seen.push(event);
    await watcher.get('/node', { watch });
    await watcher.children('/node', { watch });
    t.is(await watcher.exists('/new', { watch }), null);

    await writer.set('/node', 'two');
    await writer.create('/node/child');
    await writer.create('/new');
    const { data } = await watchedUntil(watcher, 'two');
    seen.push(data);
    await watcher.sync('/');
    t.deepEqual(seen[0], { type: 'changed', path: '/node' });
    t.deepEqual(byPath(seen.filter((entry) => typeof entry !== 'string')), [
      { type: 'created', path: '/new' },
      { type: 'changed', path: '/node' },
      { type: 'children', path: '/node' },
    ]);

    await writer.set('/node', 'three');
    await writer.delete('/new');
    await watcher.sync('/');
    t.is(seen.length, 4, 'one shot each');
  });

  test('a deleted node fires its data and child watches', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/node');
    const seen: WatchEvent[] = [];
    const watch = (event: WatchEvent) => void seen.push(event);
    await client.exists('/node', { watch });
    await client.get('/node', { watch });
    await client.children('/node', { watch });
    await client.delete('/node');
    await client.sync('/');
    t.deepEqual(seen, Array(3).fill({ type: 'deleted', path: '/node' }));
  });

  test('a read that fails leaves no watch behind', async (t, registry) => {
    const client = await registry.connect();
    const watch = () => t.fail('no watch was set');
    await refusal(t, client.get('/absent', { watch }), 'REGISTRY_NO_NODE');
    await refusal(t, client.children('/absent', { watch }), 'REGISTRY_NO_NODE');
    await client.create('/absent');
    await client.sync('/');
    t.pass();
  });

  test('a persistent watch sees the node and its list of children, until it is closed', async (t, registry) => {
    const [watcher, writer] = await Promise.all([registry.connect(), registry.connect()]);
    const seen: WatchNotice[] = [];
    const handle = await watcher.addWatch('/node', 'persistent', (notice) => void seen.push(notice));
    await writer.create('/node');
    await writer.set('/node', 'x');
    await writer.create('/node/child');
    await writer.set('/node/child', 'not seen');
    await writer.delete('/node/child');
    await writer.delete('/node');
    await writer.create('/node');
    await watcher.sync('/');
    t.deepEqual(kinds(seen), ['created', 'changed', 'children', 'children', 'deleted', 'created']);
    await handle.close();
    await handle.close();
    await writer.set('/node', 'y');
    await watcher.sync('/');
    t.is(seen.length, 6);
  });

  test('a recursive watch sees every node below', async (t, registry) => {
    const [watcher, writer] = await Promise.all([registry.connect(), registry.connect()]);
    const seen: WatchNotice[] = [];
    await watcher.addWatch('/', 'persistent-recursive', (notice) => void seen.push(notice));
    await writer.create('/a');
    await writer.create('/a/b');
    await writer.set('/a/b', 'x');
    await writer.delete('/a/b');
    await watcher.sync('/');
    t.deepEqual(
      seen.map((notice) => (notice.kind === 'event' ? `${notice.type} ${notice.path}` : notice.kind)),
      ['created /a', 'created /a/b', 'changed /a/b', 'deleted /a/b'],
    );
  });

  test('watches of all kinds on one path do not disturb each other', async (t, registry) => {
    const [watcher, writer] = await Promise.all([registry.connect(), registry.connect()]);
    await writer.create('/node');
    const seen: Record<string, string[]> = { persistent: [], recursive: [], early: [], late: [] };
    const into = (name: string) => (notice: WatchNotice | WatchEvent) => void seen[name]?.push(...kinds([notice]));
    await watcher.children('/node', { watch: into('early') });
    const [recursive, persistent] = await Promise.all([
      watcher.addWatch('/node', 'persistent-recursive', into('recursive')),
      watcher.addWatch('/node', 'persistent', into('persistent')),
    ]);
    await Promise.all([
      watcher.get('/node', { watch: into('late') }),
      watcher.children('/node', { watch: into('late') }),
    ]);
    await writer.create('/node/child');
    await writer.set('/node', '1');
    await watcher.sync('/');
    t.deepEqual(seen.early, ['children']);
    t.deepEqual(seen.late, ['children', 'changed']);
    t.deepEqual(seen.recursive, ['created', 'changed']);
    t.deepEqual(seen.persistent, ['children', 'changed']);

    await recursive.close();
    await writer.create('/node/second');
    await writer.set('/node', '2');
    await watcher.sync('/');
    t.deepEqual(seen.persistent, ['children', 'changed', 'children', 'changed']);

    await watcher.get('/node', { watch: into('late') });
    await persistent.close();
    await writer.set('/node', '3');
    await writer.set('/node', '4');
    await watcher.sync('/');
    t.deepEqual(
      seen.late,
      ['children', 'changed', 'changed'],
      'a one-shot watch outlives the persistent one it leaned on',
    );
    t.is(seen.persistent?.length, 4);
    t.is(seen.recursive?.length, 2);
  });
}

function permissions(test: Declare): void {
  const secret: Acl[] = [digestAcl('user:secret')];

  test('a node answers only to whom its ACL names', async (t, registry) => {
    const [owner, stranger] = await Promise.all([registry.connect(), registry.connect()]);
    await owner.addAuth('digest', 'user:secret');
    await owner.create('/vault', 'gold', { acl: secret });
    t.is((await owner.get('/vault')).data.toString(), 'gold');
    t.deepEqual((await owner.getAcl('/vault')).acl, secret);
    for (const call of [
      () => stranger.get('/vault'),
      () => stranger.set('/vault', 'lead'),
      () => stranger.children('/vault'),
      () => stranger.create('/vault/child'),
      () => stranger.getAcl('/vault'),
      () => stranger.setAcl('/vault', openAcl),
      () => stranger.multi([{ op: 'check', path: '/vault', version: 0 }]),
    ]) {
      await refusal(t, call(), 'REGISTRY_NO_AUTH');
    }
    const [root, vault] = (await stranger.getEach(['/', '/vault'])).found;
    t.false(isMcpError(root));
    t.true(isMcpError(vault, 'REGISTRY_NO_AUTH'));
    t.truthy(await stranger.exists('/vault'), 'existence is no secret');
    await stranger.addAuth('digest', 'user:wrong');
    await refusal(t, stranger.get('/vault'), 'REGISTRY_NO_AUTH');
    await stranger.addAuth('digest', 'user:secret');
    t.is((await stranger.get('/vault')).data.toString(), 'gold');
  });

  test('permissions are looked at one by one', async (t, registry) => {
    const [owner, guest] = await Promise.all([registry.connect(), registry.connect()]);
    await owner.addAuth('digest', 'user:secret');
    const acl: Acl[] = [...secret, { scheme: 'world', id: 'anyone', permissions: ['read', 'create'] }];
    await owner.create('/board', 'x', { acl });
    t.deepEqual((await owner.getAcl('/board')).acl, acl);
    await guest.get('/board');
    await guest.create('/board/note');
    await refusal(t, guest.set('/board', 'y'), 'REGISTRY_NO_AUTH');
    await refusal(t, guest.delete('/board/note'), 'REGISTRY_NO_AUTH');
    t.is((await guest.getAcl('/board')).acl[0]?.id, 'user:x', 'hashes are for administrators');
    t.is((await owner.setAcl('/board', openAcl, 0)).aversion, 1);
    t.deepEqual((await owner.getAcl('/board')).acl, openAcl);
    await guest.delete('/board/note');
  });

  test('the auth scheme stands for whoever asks', async (t, registry) => {
    const client = await registry.connect();
    const acl: Acl[] = [{ scheme: 'auth', id: '', permissions: ['read', 'admin'] }];
    await refusal(t, client.create('/node', '', { acl }), 'REGISTRY_INVALID_ACL');
    await client.addAuth('digest', 'user:secret');
    await client.create('/node', '', { acl });
    t.deepEqual((await client.getAcl('/node')).acl, [digestAcl('user:secret', ['read', 'admin'])]);
    await refusal(t, client.create('/bad', '', { acl: [] }), 'REGISTRY_INVALID_ACL');
    const unknown: Acl[] = [{ scheme: 'carrier-pigeon', id: 'x', permissions: ['read'] }];
    await refusal(t, client.create('/bad', '', { acl: unknown }), 'REGISTRY_INVALID_ACL');
  });

  test('credentials of a scheme that the server does not know end the client', async (t, registry) => {
    const client = await registry.connect();
    await refusal(t, client.addAuth('carrier-pigeon', 'coo'), 'REGISTRY_AUTH_FAILED');
    t.is(client.state, 'auth-failed');
    await refusal(t, client.get('/'), 'REGISTRY_AUTH_FAILED');
  });
}

function sessions(test: Declare): void {
  test('close ends the session: its ephemeral nodes go at once', async (t, registry) => {
    const [client, other] = await Promise.all([registry.connect(), registry.connect()]);
    await client.create('/mine', '', { mode: 'ephemeral' });
    const states: SessionState[] = [];
    client.onState((state) => void states.push(state));
    const notices: WatchNotice[] = [];
    await client.addWatch('/mine', 'persistent', (notice) => void notices.push(notice));
    await client.close();
    await client.close();
    t.is(client.state, 'closed');
    t.deepEqual(states, ['closed']);
    t.deepEqual(notices.at(-1), { kind: 'lost' });
    await other.sync('/');
    t.is(await other.exists('/mine'), null);
    await refusal(t, client.get('/'), 'REGISTRY_CLOSED');
    await refusal(
      t,
      client.addWatch('/', 'persistent', () => {}),
      'REGISTRY_CLOSED',
    );
    await refusal(t, client.addAuth('digest', 'a:b'), 'REGISTRY_CLOSED');
  });

  test('an expired session is over for good and takes its ephemeral nodes along', async (t, registry) => {
    const [client, other] = await Promise.all([registry.connect({ sessionTimeoutMs: 2000 }), registry.connect()]);
    await client.create('/mine', '', { mode: 'ephemeral' });
    const notices: WatchNotice[] = [];
    await client.addWatch('/mine', 'persistent', (notice) => void notices.push(notice));
    const seen = new Promise<WatchEvent>((resolve) => void other.exists('/mine', { watch: resolve }));
    await other.sync('/');
    await registry.expire(client);
    t.is(client.state, 'expired');
    t.deepEqual(notices.at(-1), { kind: 'lost' });
    t.deepEqual(await seen, { type: 'deleted', path: '/mine' });
    await refusal(t, client.get('/'), 'REGISTRY_SESSION_EXPIRED');
    await refusal(t, client.create('/x'), 'REGISTRY_SESSION_EXPIRED');
    await client.close();
  });

  test('an unsubscribed state listener hears nothing', async (t, registry) => {
    const client = await registry.connect();
    const heard: SessionState[] = [];
    const unsubscribe = client.onState((state) => void heard.push(state));
    unsubscribe();
    await client.close();
    t.deepEqual(heard, []);
  });
}

function faults(test: Declare): void {
  test('a broken connection keeps the session, its nodes and its credentials', async (t, registry) => {
    const client = await registry.connect();
    await client.addAuth('digest', 'user:secret');
    await client.create('/vault', 'gold', { acl: [digestAcl('user:secret')] });
    await client.create('/mine', '', { mode: 'ephemeral' });
    const { sessionId } = client;
    const states: SessionState[] = [];
    client.onState((state) => void states.push(state));
    await registry.interrupt(client);
    t.is(client.state, 'suspended');
    const waiting = client.get('/vault');
    await registry.restore(client);
    t.is((await waiting).data.toString(), 'gold');
    t.is(client.sessionId, sessionId);
    t.is((await client.exists('/mine'))?.ephemeralOwner, sessionId);
    t.deepEqual(states, ['suspended', 'connected']);
  });

  test('a lost reply means unknown: the write may have been done', async (t, registry) => {
    const client = await registry.connect();
    const error = await refusal(
      t,
      registry.losingTheReply(client, () => client.create('/operation-1')),
      'REGISTRY_CONNECTION_LOSS',
    );
    t.true(error.retryable);
    t.truthy(await client.exists('/operation-1'), 'found again by its name');
  });

  test('one-shot watches survive a reconnect and tell what happened meanwhile', async (t, registry) => {
    const [client, writer] = await Promise.all([registry.connect(), registry.connect()]);
    for (const path of ['/changed', '/deleted', '/parent', '/quiet']) await writer.create(path);
    const seen: WatchEvent[] = [];
    const watch = (event: WatchEvent) => void seen.push(event);
    for (const path of ['/changed', '/deleted', '/quiet']) await client.get(path, { watch });
    await client.exists('/created', { watch });
    await client.children('/parent', { watch });
    await registry.interrupt(client);
    await writer.set('/changed', 'x');
    await writer.delete('/deleted');
    await writer.create('/created');
    await writer.create('/parent/child');
    await registry.restore(client);
    await client.sync('/');
    const missed = [
      { type: 'changed', path: '/changed' },
      { type: 'created', path: '/created' },
      { type: 'deleted', path: '/deleted' },
      { type: 'children', path: '/parent' },
    ];
    t.deepEqual(byPath(seen), missed);
    await writer.set('/quiet', 'x');
    await writer.set('/changed', 'y');
    await client.sync('/');
    t.deepEqual(byPath(seen), [...missed, { type: 'changed', path: '/quiet' }]);
  });

  test('persistent watches are set again after a reconnect, and say resync', async (t, registry) => {
    const [client, writer] = await Promise.all([registry.connect(), registry.connect()]);
    await writer.create('/node');
    const plain: WatchNotice[] = [];
    const recursive: WatchNotice[] = [];
    const closed: WatchNotice[] = [];
    await client.addWatch('/node', 'persistent', (notice) => void plain.push(notice));
    await client.addWatch('/', 'persistent-recursive', (notice) => void recursive.push(notice));
    const handle = await client.addWatch('/node', 'persistent', (notice) => void closed.push(notice));
    await registry.interrupt(client);
    await handle.close();
    await writer.create('/node/missed');
    await registry.restore(client);
    await client.sync('/');
    t.deepEqual(plain, [{ kind: 'resync' }]);
    t.deepEqual(recursive, [{ kind: 'resync' }]);
    await writer.create('/node/seen');
    await client.sync('/');
    t.deepEqual(plain[1], { kind: 'event', type: 'children', path: '/node' });
    t.deepEqual(recursive[1], { kind: 'event', type: 'created', path: '/node/seen' });
    t.deepEqual(closed, []);
  });

  test('requests wait for a connection up to a limit, then are refused', async (t, registry) => {
    const client = await registry.connect({ queueLimit: 3 });
    await registry.interrupt(client);
    const waiting = [1, 2, 3].map((n) => client.create(`/n${n}`));
    const error = await refusal(t, client.create('/n4'), 'REGISTRY_QUEUE_FULL');
    t.true(error.retryable);
    await registry.restore(client);
    await Promise.all(waiting);
    t.deepEqual((await client.children('/')).children, ['n1', 'n2', 'n3']);
  });

  test('an aborted call rejects with the signal’s reason and, while it waits, is never sent', async (t, registry) => {
    const client = await registry.connect();
    const reason = new Error('changed my mind');
    const before = AbortSignal.abort(reason);
    t.is(await t.throwsAsync(client.create('/before', '', { signal: before })), reason);
    await registry.interrupt(client);
    const controller = new AbortController();
    const calls = [
      client.create('/during', '', { signal: controller.signal }),
      client.get('/', { signal: controller.signal }),
      client.addWatch('/', 'persistent', () => t.fail('aborted'), { signal: controller.signal }),
    ];
    const kept = client.create('/kept');
    controller.abort(reason);
    for (const call of calls) t.is(await t.throwsAsync<Error>(call), reason);
    await registry.restore(client);
    await kept;
    t.deepEqual((await client.children('/')).children, ['kept']);
    await client.sync('/');
  });

  test('a call aborted on the wire rejects at once; its reply disturbs nobody', async (t, registry) => {
    const client = await registry.connect();
    await client.create('/node', 'x');
    const controller = new AbortController();
    const watch = () => t.fail('nobody waits for this watch');
    const aborted = client.get('/node', { signal: controller.signal, watch });
    const kept = client.get('/node');
    controller.abort(new Error('enough'));
    await t.throwsAsync(aborted, { message: 'enough' });
    t.is((await kept).data.toString(), 'x');
    await client.set('/node', 'y');
    await client.sync('/');
  });

  test('closing a suspended client rejects what waits', async (t, registry) => {
    const client = await registry.connect();
    await registry.interrupt(client);
    const waiting = client.create('/never');
    const refused = refusal(t, waiting, 'REGISTRY_CLOSED');
    await client.close();
    await refused;
    t.is(client.state, 'closed');
  });
}

/** Asserts that the call is refused with that code, and gives the error. */
async function refusal(t: ExecutionContext, call: Promise<unknown>, code: string) {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isMcpError(error, code)) throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
  t.is(error.code, code);
  return error;
}

/** Reads until the data is there: an event for it must have come before. */
function watchedUntil(client: RegistryClient, wanted: string): Promise<{ data: string }> {
  return eventually(`/node to hold ${wanted}`, async () => {
    const data = (await client.get('/node')).data.toString();
    return data === wanted && { data };
  });
}

function kinds(notices: readonly (WatchNotice | WatchEvent)[]): string[] {
  return notices.map((notice) => ('type' in notice ? notice.type : notice.kind));
}

function byPath(events: readonly WatchEvent[]): WatchEvent[] {
  return [...events].sort((a, b) => (a.path + a.type < b.path + b.type ? -1 : 1));
}
