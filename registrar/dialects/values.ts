/** What every dialect asks of a value before it is believed. Pure. */
import { parseJson } from '../store/codecs.ts';
import { addressKind } from './address.ts';

/** Keys that mean something to JavaScript itself. */
const evilKeys = ['__proto__', 'constructor', 'prototype'];

/** The fields of a node's JSON object, or what is wrong with it. */
export function readFields(
  data: Uint8Array,
  maxBytes: number,
): { fields: Record<string, unknown> } | { problem: string } {
  if (data.byteLength > maxBytes) return { problem: `it has more than ${maxBytes} bytes` };
  const parsed = parseJson(data);
  if ('problem' in parsed) return parsed;
  if (!isObject(parsed.value)) return { problem: 'it is not a JSON object' };
  const evil = evilKeys.find((key) => Object.hasOwn(parsed.value as object, key));
  return evil === undefined ? { fields: parsed.value } : { problem: `it has the key ${evil}` };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Why no instance can be at this address; null where one can. `field` is what the address is called. */
export function addressProblem(address: unknown, allowLoopback: boolean, field = 'address'): string | null {
  const kind = typeof address === 'string' ? addressKind(address) : 'not-an-address';
  switch (kind) {
    case 'not-an-address':
      return `${field} is not an IP address`;
    case 'loopback':
      return allowLoopback ? null : `${field} is a loopback address`;
    case 'link-local':
      return `${field} is link-local`;
    case 'unusable':
      return `${field} is none that a machine can have`;
    case 'public':
      return null;
  }
}

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
