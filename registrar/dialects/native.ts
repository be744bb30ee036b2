/**
 * The native dialect: a registration as our own agents write it. What a rogue machine writes here would end in the gateway's
 * configuration, so a record is built anew from fields that each match an allow-list; nothing else gets through. Pure, and
 * never throws.
 */

import type { MachineRecord, RegistrationRecord } from '../records.ts';
import type { Stat } from '../registry-client.ts';
import { canonicalAddress } from './address.ts';
import { addressProblem, isPort, readFields } from './values.ts';

export type ParsedRegistration =
  | { ok: true; record: RegistrationRecord }
  | {
      ok: false;
      path: string;
      /** For people; says nothing of what the node holds but the name of the field. */
      reason: string;
    };

/** Bytes that a registration may have. */
const maxBytes = 4096;
const namePattern = /^[a-z0-9-]{1,40}$/;
const versionPattern = /^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$/;
const machinePattern = /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/;
/** No empty part (`//host` would be another host) and none that climbs. */
const documentPattern = /^\/(?:(?!\.{1,2}(?:\/|$))[0-9A-Za-z._~=%-]+(?:\/|$))*$/;
const digestPattern = /^[0-9a-f]{64}$/;

/**
 * Judges one node below /services. `allowLoopback`: the local environment, whose machines have loopback addresses; link-local
 * ones are refused everywhere (169.254.169.254 is the cloud's own metadata service).
 */
export function parseRegistration(
  path: string,
  data: Uint8Array,
  stat: Stat,
  options: { allowLoopback: boolean },
): ParsedRegistration {
  const refused = (reason: string): ParsedRegistration => ({ ok: false, path, reason });
  const place = placeOf(path);
  if (place === null) return refused('the path is not /services/<service>/<version>/<machine>');
  if (stat.ephemeralOwner === null) return refused('the node is persistent: it would outlive its instance');
  const read = readFields(data, maxBytes);
  if ('problem' in read) return refused(read.problem);
  const { fields } = read;
  const problem = problemOf(fields, place, options.allowLoopback);
  return problem === null ? { ok: true, record: build(fields, place) } : refused(problem);
}

/**
 * Why a registration is not believed, given what the ledger says of its machine; null where it is. A machine can only speak for
 * itself, and only as what it was claimed for: another's address or name would draw that one's traffic, or blame it. A machine
 * that the ledger does not know is an agent that runs alone beside some process: it has no one to contradict it.
 */
export function ledgerProblem(
  record: RegistrationRecord,
  machine: Pick<MachineRecord, 'claim' | 'address'> | undefined,
): string | null {
  if (machine === undefined) return null;
  const { claim, address } = machine;
  if (claim && (claim.service !== record.service || claim.version !== record.version)) {
    return `machine ${record.machine} is claimed for ${claim.service}@${claim.version}`;
  }
  if (address === undefined || canonicalAddress(address) === record.address) return null;
  return `address is not that of machine ${record.machine} in the ledger`;
}

interface Place {
  service: string;
  version: string;
  machine: string;
}

function placeOf(path: string): Place | null {
  const [empty, root, service = '', version = '', machine = '', ...more] = path.split('/');
  if (empty !== '' || root !== 'services' || more.length > 0) return null;
  const fits = namePattern.test(service) && versionPattern.test(version) && machinePattern.test(machine);
  return fits ? { service, version, machine } : null;
}

function problemOf(fields: Record<string, unknown>, place: Place, allowLoopback: boolean): string | null {
  if (fields.schema !== 1) return 'schema is unknown: this MCP knows 1';
  for (const key of ['service', 'version', 'machine'] as const) {
    if (fields[key] !== place[key]) return `${key} is not the one in the path`;
  }
  return (
    addressProblem(fields.address, allowLoopback) ??
    (isPort(fields.port) ? null : 'port is not a whole number from 1 to 65535') ??
    (fields.state === 'up' || fields.state === 'draining' ? null : 'state is neither up nor draining') ??
    (isTime(fields.at) ? null : 'at is not a time in ms') ??
    optionalProblem(fields.document, isDocumentPath, 'document is not a plain absolute path') ??
    optionalProblem(fields.digest, isDigest, 'digest is not 64 lower-case hex digits') ??
    optionalProblem(fields.zone, isZone, 'zone is not 1 to 40 of a-z, 0-9 and -')
  );
}

function optionalProblem(value: unknown, fits: (value: unknown) => boolean, problem: string): string | null {
  return value === undefined || fits(value) ? null : problem;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isDocumentPath(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 200 && documentPattern.test(value);
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && digestPattern.test(value);
}

function isZone(value: unknown): value is string {
  return typeof value === 'string' && namePattern.test(value);
}

/** Of fields that `problemOf` found good. */
function build(fields: Record<string, unknown>, place: Place): RegistrationRecord {
  const { address, port, state, at, document, digest, zone } = fields;
  return {
    schema: 1,
    ...place,
    address: canonicalAddress(String(address)),
    port: Number(port),
    state: state === 'draining' ? 'draining' : 'up',
    ...(isDocumentPath(document) ? { document } : {}),
    ...(isDigest(digest) ? { digest } : {}),
    ...(isZone(zone) ? { zone } : {}),
    at: Number(at),
  };
}
