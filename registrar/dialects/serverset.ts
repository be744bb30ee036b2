/**
 * Finagle's ServerSets, which Aurora writes too: `<path>/member_<sequence>` holds endpoints and a status, and only ALIVE gets
 * requests; `vector_*` beside them hold weights, which multiply. Pure.
 */
import { canonicalAddress } from './address.ts';
import {
  type ForeignInstance,
  type ForeignNode,
  type ForeignOptions,
  labelOf,
  maxForeignBytes,
  maxWeight,
  persistenceProblem,
  plainWord,
} from './foreign.ts';
import { addressProblem, isObject, isPort, readFields } from './values.ts';

/** A member, with what vectors can select it by. */
export interface Member {
  instance: ForeignInstance;
  shard: number | null;
}

export function isMember(name: string): boolean {
  return name.startsWith('member_');
}

export function isVector(name: string): boolean {
  return name.startsWith('vector_');
}

export function readMember(
  { name, data, stat }: ForeignNode,
  { allowLoopback, endpoint }: ForeignOptions,
): Member | { refused: string } {
  const read = readFields(data, maxForeignBytes);
  if ('problem' in read) return { refused: read.problem };
  const { fields } = read;
  const target = endpointOf(fields, endpoint);
  if (!isObject(target))
    return {
      refused: endpoint === undefined ? 'it has no serviceEndpoint' : `it has no additional endpoint ${endpoint}`,
    };
  const problem =
    persistenceProblem(stat) ??
    addressProblem(target.host, allowLoopback, 'host') ??
    (isPort(target.port) ? null : 'port is not a whole number from 1 to 65535');
  if (problem !== null) return { refused: problem };
  return {
    instance: {
      node: name,
      label: labelOf(name),
      address: canonicalAddress(String(target.host)),
      port: Number(target.port),
      says: fields.status === 'ALIVE' ? '' : `status ${plainWord(fields.status) || 'UNKNOWN'}`,
      weight: 1,
    },
    shard: Number.isInteger(fields.shard) ? Number(fields.shard) : null,
  };
}

function endpointOf(fields: Record<string, unknown>, name: string | undefined): unknown {
  if (name === undefined) return fields.serviceEndpoint;
  const all = fields.additionalEndpoints;
  return isObject(all) && Object.hasOwn(all, name) ? all[name] : undefined;
}

/** One rule of a vector: whom it selects, and the factor. */
interface Descriptor {
  select: string;
  weight: number;
}

/** The rules of a vector node, or what is wrong with it. A weight left out is 1; a rule that selects by anything else is skipped. */
export function readVector({ data }: ForeignNode): { rules: Descriptor[] } | { refused: string } {
  const read = readFields(data, maxForeignBytes);
  if ('problem' in read) return { refused: read.problem };
  const { vector } = read.fields;
  if (!Array.isArray(vector)) return { refused: 'vector is not a list' };
  const rules = vector.flatMap((one: unknown): Descriptor[] => {
    if (!isObject(one) || typeof one.select !== 'string') return [];
    return [{ select: one.select, weight: typeof one.weight === 'number' ? one.weight : 1 }];
  });
  const isOdd = rules.some(({ weight }) => !Number.isFinite(weight) || weight < 0 || weight > maxWeight);
  return isOdd ? { refused: `a weight is not a number from 0 to ${maxWeight}` } : { rules };
}

/** The instance with its weight: the product of all that select it. */
export function weighed({ instance, shard }: Member, rules: readonly Descriptor[]): ForeignInstance {
  const product = rules
    .filter(({ select }) => selects(select, instance, shard))
    .reduce((weight, rule) => Math.min(maxWeight, weight * rule.weight), 1);
  if (product > 0) return { ...instance, weight: product };
  return { ...instance, says: instance.says || 'weight 0' };
}

function selects(select: string, instance: ForeignInstance, shard: number | null): boolean {
  const [, kind, which = ''] = /^(inet|member|shard)=(.*)$/s.exec(select) ?? [];
  if (kind === 'shard') return shard !== null && which === String(shard);
  if (kind === 'inet') return which === `${instance.address}:${instance.port}`;
  // By its whole name, or by its number alone.
  return kind === 'member' && (which === instance.node || /^member_0*(\d+)$/.exec(instance.node)?.[1] === which);
}
