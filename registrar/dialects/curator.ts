/**
 * Curator's x-discovery, which Spring Cloud ZooKeeper builds on: `<base>/<name>/<id>` holds a ServiceInstance as JSON. Read as
 * Curator's JsonInstanceSerializer does (unknown fields are fine, `enabled` missing means true), with Spring's
 * `instance_status` in the payload's metadata on top. Pure.
 */
import { canonicalAddress } from './address.ts';
import {
  type ForeignJudgement,
  type ForeignNode,
  type ForeignOptions,
  labelOf,
  maxForeignBytes,
  persistenceProblem,
  plainWord,
} from './foreign.ts';
import { addressProblem, isObject, isPort, readFields } from './values.ts';

export function readCuratorInstance(
  { name, data, stat }: ForeignNode,
  { allowLoopback, serviceName }: ForeignOptions,
): ForeignJudgement {
  const read = readFields(data, maxForeignBytes);
  if ('problem' in read) return { refused: read.problem };
  const { fields } = read;
  const problem =
    persistenceProblem(stat) ??
    identityProblem(fields, name, serviceName) ??
    addressProblem(fields.address, allowLoopback) ??
    portProblem(fields) ??
    schemeProblem(fields.uriSpec) ??
    enabledProblem(fields.enabled);
  if (problem !== null) return { refused: problem };
  return {
    node: name,
    label: labelOf(name),
    address: canonicalAddress(String(fields.address)),
    port: Number(fields.port),
    says: fields.enabled === false ? 'enabled: false' : statusOf(fields.payload),
    weight: 1,
  };
}

/** Sequential dynamic instances have their number behind the id. */
function identityProblem(fields: Record<string, unknown>, node: string, serviceName: string): string | null {
  if (fields.name !== serviceName) return 'name is not the one in the path';
  const { id } = fields;
  const isOwn =
    typeof id === 'string' && (id === node || (node.startsWith(id) && /^\d{10}$/.test(node.slice(id.length))));
  return isOwn ? null : 'id is not the one in the path';
}

function portProblem({ port, sslPort }: Record<string, unknown>): string | null {
  if (isPort(port)) return null;
  if ((port === undefined || port === null) && isPort(sslPort)) {
    return 'it has only an sslPort: the gateway speaks plain HTTP to instances';
  }
  return 'port is not a whole number from 1 to 65535';
}

/** A specification that says https outright; one with a variable scheme means http for a port that is not the TLS one. */
function schemeProblem(uriSpec: unknown): string | null {
  const parts = isObject(uriSpec) ? uriSpec.parts : undefined;
  const first: unknown = Array.isArray(parts) ? parts[0] : undefined;
  const isTls =
    isObject(first) && first.variable !== true && typeof first.value === 'string' && /^https/i.test(first.value);
  return isTls ? 'uriSpec says https: the gateway speaks plain HTTP to instances' : null;
}

function enabledProblem(enabled: unknown): string | null {
  return enabled === undefined || enabled === null || typeof enabled === 'boolean'
    ? null
    : 'enabled is neither true nor false';
}

/** Spring's word on it: empty or UP may be routed to, anything else may not. */
function statusOf(payload: unknown): string {
  const metadata = isObject(payload) ? payload.metadata : undefined;
  const status = isObject(metadata) && Object.hasOwn(metadata, 'instance_status') ? metadata.instance_status : '';
  if (status === null || (typeof status === 'string' && ['', 'UP'].includes(status.trim().toUpperCase()))) return '';
  return `instance_status ${plainWord(status) || 'is not UP'}`;
}
