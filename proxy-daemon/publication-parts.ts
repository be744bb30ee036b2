/** What a generation needs beside its routes, from the routes and the environment. Pure. */
import { McpError } from '../specs/errors.ts';
import type { AccessSpec, LimitsSpec } from '../specs/front-door.ts';
import type { Environment, Service } from '../specs/nouns.ts';
import type { DocumentDoor, DocumentInfo, DocumentRules } from './document-source.ts';
import { mostExactFirst } from './routes/operation-pattern.ts';

const defaultDrainMs = 30_000;

/** What the document says of itself. */
export function documentInfo(environment: Environment | null): DocumentInfo {
  const { title = 'APIs', description = '', largestDocumentBytes: maxBytes } = environment?.gateway ?? {};
  const doors = Object.fromEntries((environment?.services ?? []).flatMap(documentDoor));
  return {
    ...{ title, description },
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(Object.keys(doors).length === 0 ? {} : { doors }),
  };
}

function documentDoor({ name, access, limits, operations = [] }: Service): [string, DocumentDoor][] {
  if (!access && !limits && operations.length === 0) return [];
  const own = operations.map(({ method, path, open, ...of }) => ({
    ...{ method, path, own: { access: of.access !== undefined || open === true } },
    ...documentRules(open ? undefined : (of.access ?? access), { ...limits, ...of.limits }),
  }));
  return [[name, { ...documentRules(access, limits), operations: mostExactFirst(own) }]];
}

function documentRules(access: AccessSpec | undefined, limits: LimitsSpec | undefined): DocumentRules {
  return {
    keyHeader: access?.apiKeys?.header ?? null,
    users: access?.basicFile !== undefined,
    certificate: access?.clientCertificate === 'required',
    bodies: limits?.bodyBytes !== undefined,
    rate: limits?.rate !== undefined,
  };
}

const longest = new WeakMap<Environment, number>();

/** How long old workers may finish requests: the longest that any service asks for, ms. */
export function drainTimeout(environment: Environment | null): number {
  if (environment === null || environment.services.length === 0) return defaultDrainMs;
  const known = longest.get(environment);
  if (known !== undefined) return known;
  const most = environment.services.reduce((max, { drainTimeoutMs }) => Math.max(max, drainTimeoutMs), 0);
  longest.set(environment, most);
  return most;
}

/** Nobody takes a whole environment back: where it is gone the registry was wiped, and nothing of it is believed (P9). */
export function undeclared(): McpError {
  return new McpError('GATEWAY_UNDECLARED', 'the registry declares nothing any more: it may have been wiped', {
    hint: 'The last good configuration stays until an environment is declared.',
  });
}
