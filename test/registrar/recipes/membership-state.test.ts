import test from 'ava';
import fc from 'fast-check';
import {
  afterBatch,
  afterFullRead,
  depthBelow,
  type Finding,
  type MembershipState,
} from '../../../registrar/recipes/membership-state.ts';
import type { Stat } from '../../../registrar/registry-client.ts';
import { keepsItsWord, type Moment } from '../../helpers/membership-oracle.ts';

/** A server's tree under /r with all of its past, and one session's stream of events and replies. */
class Server {
  zxid = 10;
  readonly tree = new Map<string, { czxid: number; mzxid: number }>([['/r', { czxid: 1, mzxid: 1 }]]);
  readonly past: Moment[] = [{ zxid: 10, tree: new Map([['/r', 1]]) }];
  /** Events sent, not yet seen by the session. */
  readonly events: string[] = [];

  change(path: string, kind: 'put' | 'delete'): void {
    this.zxid += 1;
    const old = this.tree.get(path);
    if (kind === 'delete') this.tree.delete(path);
    else this.tree.set(path, { czxid: old?.czxid ?? this.zxid, mzxid: this.zxid });
    if (kind === 'put' || old) this.events.push(path);
    this.past.push({ zxid: this.zxid, tree: new Map([...this.tree].map(([at, node]) => [at, node.mzxid])) });
  }

  find(path: string): Finding {
    const node = this.tree.get(path);
    return node ? { data: Buffer.alloc(0), stat: node as Stat } : 'absent';
  }
}

const leaf = fc.constantFrom('/r/a', '/r/b', '/r/c');
const change = fc.record({ path: leaf, kind: fc.constantFrom('put' as const, 'delete' as const) });
/** A batch: changes before it; changes between its single reads. */
const batch = fc.record({
  full: fc.boolean(),
  before: fc.array(change, { maxLength: 3 }),
  during: fc.array(fc.array(change, { maxLength: 2 }), { minLength: 5, maxLength: 5 }),
});

test('whatever changes between the reads, everything up to asOf is reflected, and asOf follows', (t) => {
  fc.assert(
    fc.property(fc.array(batch, { minLength: 1, maxLength: 8 }), (batches) => {
      const server = new Server();
      let dirty = new Set<string>();
      let state: MembershipState | null = null;
      const takeEvents = () => {
        for (const path of server.events.splice(0)) dirty.add(path);
      };
      for (const { full, before, during } of batches) {
        const floor: number = state?.replied ?? 0;
        for (const { path, kind } of before) server.change(path, kind);
        takeEvents();
        const paths = full || state === null ? ['/r', '/r/a', '/r/b', '/r/c'] : [...dirty, '/r'];
        dirty = new Set();
        const found = new Map<string, Finding>();
        let replied = 0;
        for (const [index, path] of paths.entries()) {
          for (const one of during[index] ?? []) server.change(one.path, one.kind);
          takeEvents();
          found.set(path, server.find(path));
          if (path === '/r') replied = server.zxid;
        }
        state =
          full || state === null
            ? afterFullRead(state, new Map([...found].filter(([, one]) => one !== 'absent')), replied)
            : afterBatch(state, found, replied, dirty.size > 0);
        if (!keepsItsWord(server.past, state.value) || state.value.asOf < floor) return false;
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('the map of nodes stays the same object while no node changes', (t) => {
  const server = new Server();
  server.change('/r/a', 'put');
  const first = afterFullRead(null, new Map([['/r/a', server.find('/r/a')]]), server.zxid);
  const same = afterBatch(first, new Map([['/r/a', server.find('/r/a')]]), server.zxid + 5, false);
  t.is(same.value.nodes, first.value.nodes);
  t.is(same.value.asOf, server.zxid + 5);
  t.is(afterFullRead(same, new Map([['/r/a', server.find('/r/a')]]), server.zxid).value.nodes, first.value.nodes);
  server.change('/r/a', 'put');
  t.not(afterBatch(same, new Map([['/r/a', server.find('/r/a')]]), server.zxid, false).value.nodes, first.value.nodes);
});

test('a node that went takes what was below it along; one that may not be read is named', (t) => {
  const server = new Server();
  for (const path of ['/r/a', '/r/a/b', '/r/ab']) server.change(path, 'put');
  const all = ['/r', '/r/a', '/r/a/b', '/r/ab'];
  const full = afterFullRead(null, new Map(all.map((path) => [path, server.find(path)])), server.zxid);
  const after = afterBatch(
    full,
    new Map<string, Finding>([
      ['/r/a', 'absent'],
      ['/r/ab', 'unreadable'],
    ]),
    99,
    false,
  );
  t.deepEqual([...after.value.nodes.keys()], ['/r']);
  t.deepEqual([...after.value.unreadable], ['/r/ab']);
});

test('depth is counted from the root of the cache', (t) => {
  t.deepEqual(
    ['/a', '/a/b', '/a/b/c', '/ab', '/'].map((path) => depthBelow('/a', path)),
    [0, 1, 2, null, null],
  );
  t.is(depthBelow('/', '/a/b'), 2);
});
