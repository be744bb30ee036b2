/**
 * Nerve, as Synapse reads it (Airbnb's SmartStack): `<zk_path>/<instance id>_<sequence>` holds `{"host", "port", "name", ...}`, or
 * the name itself does, encoded. Data on the parent configures Synapse's generators and is no instance. Pure.
 */
import { canonicalAddress } from './address.ts';
import {
  type ForeignInstance,
  type ForeignJudgement,
  type ForeignNode,
  type ForeignOptions,
  labelOf,
  maxForeignBytes,
  persistenceProblem,
} from './foreign.ts';
import { addressProblem, isPort, readFields } from './values.ts';

/** HAProxy's largest weight. */
const maxNerveWeight = 256;

export function readNerveInstance(node: ForeignNode, { allowLoopback }: ForeignOptions): ForeignJudgement {
  const encoded = fieldsInName(node.name);
  const read = encoded ? { fields: encoded } : readFields(node.data, maxForeignBytes);
  if ('problem' in read) return { refused: read.problem };
  const { host, name, weight: declared, haproxy_server_options: raw } = read.fields;
  const port = wholeNumber(read.fields.port);
  const weight = declared === undefined || declared === null ? 1 : wholeNumber(declared);
  const problem =
    persistenceProblem(node.stat) ??
    addressProblem(host, allowLoopback, 'host') ??
    (isPort(port) ? null : 'port is not a whole number from 1 to 65535') ??
    (weight !== null && weight <= maxNerveWeight ? null : `weight is not a whole number from 0 to ${maxNerveWeight}`);
  if (problem !== null || weight === null) return { refused: problem ?? 'weight is not a number' };
  return {
    node: node.name,
    label: labelOf(typeof name === 'string' ? name : node.name.replace(/_\d+$/, '')),
    address: canonicalAddress(String(host)),
    port: Number(port),
    says: weight === 0 ? 'weight 0' : optionsSay(raw),
    weight: Math.max(1, weight),
  };
}

/** A registrant that came back before its old session ended is there twice: the newer one counts, as it is one process. */
export function withoutNerveDoubles(
  instances: readonly { instance: ForeignInstance; czxid: number }[],
): ForeignInstance[] {
  const newest = new Map<string, { instance: ForeignInstance; czxid: number }>();
  for (const one of instances) {
    const key = `${one.instance.address} ${one.instance.port} ${one.instance.label}`;
    const known = newest.get(key);
    if (!known || known.czxid < one.czxid) newest.set(key, one);
  }
  return [...newest.values()].map(({ instance }) => instance);
}

/** `base64_<length>_<url-safe base64 of the JSON>_<sequence>`; null where the name is not that, and the data counts. */
function fieldsInName(name: string): Record<string, unknown> | null {
  const [, digits, rest = ''] = /^base64_(\d{1,6})_(.*)$/s.exec(name) ?? [];
  if (digits === undefined) return null;
  const read = readFields(Buffer.from(rest.slice(0, Number(digits)), 'base64url'), maxForeignBytes);
  return 'fields' in read ? read.fields : null;
}

/** Older writers put numbers in quotes. */
function wholeNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : null;
  return typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : null;
}

/** HAProxy's own words, of which only these two concern whether it may get requests; the text itself is never passed on. */
function optionsSay(raw: unknown): string {
  const words = typeof raw === 'string' ? raw.split(/\s+/) : [];
  const word = ['disabled', 'backup'].find((one) => words.includes(one));
  return word === undefined ? '' : `haproxy_server_options: ${word}`;
}
