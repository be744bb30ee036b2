/** All of a foreign service's nodes to its instances: one bad node is left out alone, with its reason. Pure. */
import type { ForeignDialect } from '../../specs/nouns.ts';
import { readCuratorInstance } from './curator.ts';
import type { ForeignInstance, ForeignNode, ForeignOptions } from './foreign.ts';
import { readNerveInstance, withoutNerveDoubles } from './nerve.ts';
import { isMember, isVector, readMember, readVector, weighed } from './serverset.ts';

export interface ForeignMembers {
  instances: ForeignInstance[];
  rejected: { node: string; reason: string }[];
  /** Beyond what one service may have; the newest ones. */
  surplus: number;
}

/** Instances of one service; who floods its path with more displaces nobody who was there before. */
const mostInstances = 1000;

export function readForeignService(
  dialect: ForeignDialect,
  nodes: readonly ForeignNode[],
  options: ForeignOptions,
): ForeignMembers {
  const oldest = [...nodes].sort((a, b) => a.stat.czxid - b.stat.czxid || (a.name < b.name ? -1 : 1));
  const { instances, rejected } = readers[dialect](oldest, options);
  return {
    instances: instances.slice(0, mostInstances),
    rejected,
    surplus: Math.max(0, instances.length - mostInstances),
  };
}

type Reader = (nodes: readonly ForeignNode[], options: ForeignOptions) => Omit<ForeignMembers, 'surplus'>;

const readers: Record<ForeignDialect, Reader> = { curator: readCurator, nerve: readNerve, serverset: readServerSet };

function readCurator(nodes: readonly ForeignNode[], options: ForeignOptions): ReturnType<Reader> {
  const { good, rejected } = judged(nodes, (node) => readCuratorInstance(node, options));
  return { instances: good.map(({ judgement }) => judgement), rejected };
}

function readNerve(nodes: readonly ForeignNode[], options: ForeignOptions): ReturnType<Reader> {
  const { good, rejected } = judged(nodes, (node) => readNerveInstance(node, options));
  const found = good.map(({ judgement, node }) => ({ instance: judgement, czxid: node.stat.czxid }));
  return { instances: withoutNerveDoubles(found), rejected };
}

function readServerSet(nodes: readonly ForeignNode[], options: ForeignOptions): ReturnType<Reader> {
  const ofKind = (isKind: (name: string) => boolean) => nodes.filter(({ name }) => isKind(name));
  const members = judged(ofKind(isMember), (node) => readMember(node, options));
  const vectors = judged(ofKind(isVector), readVector);
  const rules = vectors.good.flatMap(({ judgement }) => judgement.rules);
  return {
    instances: members.good.map(({ judgement }) => weighed(judgement, rules)),
    rejected: [...members.rejected, ...vectors.rejected],
  };
}

function judged<T extends object>(
  nodes: readonly ForeignNode[],
  judge: (node: ForeignNode) => T | { refused: string },
) {
  const good: { node: ForeignNode; judgement: T }[] = [];
  const rejected: ForeignMembers['rejected'] = [];
  for (const node of nodes) {
    const judgement = judge(node);
    if ('refused' in judgement) rejected.push({ node: node.name, reason: judgement.refused });
    else good.push({ node, judgement });
  }
  return { good, rejected };
}
