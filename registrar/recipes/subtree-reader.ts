/** The reads that a membership cache is made of. */
import { isMcpError } from '../../specs/errors.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';
import { childOf } from '../zookeeper/paths.ts';
import { required } from './format-registry.ts';
import { mapBounded } from './map-bounded.ts';
import { type Finding, findingAt, type Membership, sameFinding } from './membership-state.ts';

export interface Subtree {
  client: RegistryClient;
  /** Must exist, unless `mayLack`: a missing root is a failure, not an empty membership. */
  root: string;
  /** A root that is not there, or goes, is an empty membership: whoever registers first makes it. */
  mayLack?: boolean;
  /** Levels below the root that are read; deeper nodes are not looked at. */
  depth: number;
}

/** Requests under way at a time. */
const parallel = 128;
/** Nodes, with the root, that are asked for in one request. */
const mostTogether = 16;
/** Nodes that are asked for at a time where something more urgent may come up meanwhile: it waits for them. */
const aside = mostTogether - 1;

export class SubtreeReader {
  readonly #subtree: Subtree;

  constructor(subtree: Subtree) {
    this.#subtree = subtree;
  }

  async root(signal: AbortSignal): Promise<{ node: Finding; zxid: Zxid }> {
    const { client, root, mayLack } = this.#subtree;
    const read = client.get(root, { signal });
    try {
      const { data, stat, zxid } = await (mayLack ? read : required(root, read));
      return { node: { data, stat }, zxid };
    } catch (error) {
      if (!mayLack || !isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
      return { node: 'absent', zxid: client.lastZxid };
    }
  }

  /** What is at each of the paths. The requests leave in one go. */
  async nodes(paths: readonly string[], signal: AbortSignal): Promise<Finding[]> {
    return mapBounded(paths, parallel, (path) => this.#find(path, signal));
  }

  /**
   * The root, the zxid of its reply, and what is at each of the paths. Few are asked for in one request: the server takes one after
   * the other from a connection, and a change waits for the last.
   */
  async withRoot(
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<{ node: Finding; zxid: Zxid; findings: Finding[] }> {
    const together = paths.length < mostTogether ? await this.#together(paths, signal) : null;
    if (together !== null) return together;
    const [at, findings] = await Promise.all([this.root(signal), this.nodes(paths, signal)]);
    return { ...at, findings };
  }

  /** Null where that is too much for one reply. */
  async #together(paths: readonly string[], signal: AbortSignal) {
    const { client, root, mayLack } = this.#subtree;
    try {
      const { found, zxid } = await client.getEach([root, ...paths], { signal });
      const [node, ...findings] = found.map((one) => (isMcpError(one) ? findingOf(one) : one));
      if (node === undefined || node === 'unreadable' || (node === 'absent' && !mayLack)) return null;
      return { node, zxid, findings };
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_TOO_LARGE')) return null;
      throw error;
    }
  }

  /** Everything, and the zxid of the reply that was the first. */
  async all(signal: AbortSignal): Promise<{ found: Map<string, Finding>; zxid: Zxid }> {
    const { root, depth } = this.#subtree;
    const opened = await this.root(signal);
    const found = new Map<string, Finding>([[root, opened.node]]);
    let level = [root];
    for (let down = 0; down < depth; down += 1) {
      const lists = await mapBounded(level, parallel, (path) => this.#childrenOf(path, signal));
      // In order, so that whoever sorts the paths finds that done.
      level = lists.flat().sort();
      const findings = await this.nodes(level, signal);
      for (const [index, path] of level.entries()) found.set(path, findings[index] ?? 'absent');
    }
    return { found, zxid: opened.zxid };
  }

  /** Reads everything a little at a time, and gives the paths at which something else is found than is `known` by then. */
  async *differences(known: () => Membership, signal: AbortSignal): AsyncGenerator<string[]> {
    const { root, depth } = this.#subtree;
    const listed = new Set([root]);
    let level = [root];
    for (let down = 0; down < depth; down += 1) {
      const next: string[] = [];
      for (const piece of piecesOf(level)) {
        const lists = await mapBounded(piece, aside, (path) => this.#childrenOf(path, signal));
        next.push(...lists.flat());
        yield [];
      }
      level = next.sort();
      for (const piece of piecesOf(level)) {
        const { findings } = await this.withRoot(piece, signal);
        yield piece.filter((path, at) => !sameFinding(findingAt(known(), path), findings[at] ?? 'absent'));
        for (const path of piece) listed.add(path);
      }
    }
    const { nodes, unreadable } = known();
    yield [...nodes.keys(), ...unreadable].filter((path) => !listed.has(path));
  }

  async #find(path: string, signal: AbortSignal): Promise<Finding> {
    try {
      const { data, stat } = await this.#subtree.client.get(path, { signal });
      return { data, stat };
    } catch (error) {
      return findingOf(error);
    }
  }

  async #childrenOf(path: string, signal: AbortSignal): Promise<string[]> {
    try {
      const { children } = await this.#subtree.client.children(path, { signal });
      return children.map((name) => childOf(path, name));
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE', 'REGISTRY_NO_AUTH')) return [];
      throw error;
    }
  }
}

/** Absent is an answer, refused is an answer about this node only; any other failure is thrown. */
function findingOf(error: unknown): Finding {
  if (isMcpError(error, 'REGISTRY_NO_NODE')) return 'absent';
  if (isMcpError(error, 'REGISTRY_NO_AUTH')) return 'unreadable';
  throw error;
}

function* piecesOf(paths: readonly string[]): Generator<string[]> {
  for (let at = 0; at < paths.length; at += aside) yield paths.slice(at, at + aside);
}
