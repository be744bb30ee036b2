/**
 * The native dialect: a registration as our own agents write it. What a rogue machine writes here would end in the gateway's
 * configuration, so a record is built anew from fields that each match an allow-list; nothing else gets through. Pure, and
 * never throws.
 */
import type { RegistrationRecord } from '../records.ts';
import type { Stat } from '../registry-client.ts';
import { parseJson } from '../store/codecs.ts';
import { addressKind } from './address.ts';

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
/** Keys that mean something to JavaScript itself. */
const evilKeys = ['__proto__', 'constructor', 'prototype'];

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
  if (data.byteLength > maxBytes) return refused(`it has more than ${maxBytes} bytes`);
  const parsed = parseJson(data);
  if ('problem' in parsed) return refused(parsed.problem);
  const { value } = parsed;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return refused('it is not a JSON object');
  const evil = evilKeys.find((key) => Object.hasOwn(value, key));
  if (evil !== undefined) return refused(`it has the key ${evil}`);
  const fields = value as Record<string, unknown>;
  const problem = problemOf(fields, place, options.allowLoopback);
  return problem === null ? { ok: true, record: build(fields, place) } : refused(problem);
}

/**
 * Why a registration is not believed, given the address that the ledger has for its machine; null where it is. A machine can
 * only speak for itself: another machine's address would draw that machine's traffic, or blame it.
 */
export function checkAgainstLedger(record: RegistrationRecord, machineAddress: string): string | null {
  if (record.address === machineAddress) return null;
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

function addressProblem(address: unknown, allowLoopback: boolean): string | null {
  const kind = typeof address === 'string' ? addressKind(address) : 'not-an-address';
  switch (kind) {
    case 'not-an-address':
      return 'address is not an IP address';
    case 'loopback':
      return allowLoopback ? null : 'address is a loopback address';
    case 'link-local':
      return 'address is link-local';
    case 'unusable':
      return 'address is none that a machine can have';
    case 'public':
      return null;
  }
}

function optionalProblem(value: unknown, fits: (value: unknown) => boolean, problem: string): string | null {
  return value === undefined || fits(value) ? null : problem;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
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
    address: String(address).toLowerCase(),
    port: Number(port),
    state: state === 'draining' ? 'draining' : 'up',
    ...(isDocumentPath(document) ? { document } : {}),
    ...(isDigest(digest) ? { digest } : {}),
    ...(isZone(zone) ? { zone } : {}),
    at: Number(at),
  };
}
