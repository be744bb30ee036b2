/** Declaring: a new generation of /desired, guarded against slips. */

import { publishDesired, readDeclared } from '../../registrar/recipes/desired-document.ts';
import { appendEvent } from '../../registrar/recipes/event-log.ts';
import type { DesiredRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import {
  allowanceFor,
  compareEnvironments,
  type EnvironmentDiff,
  needsConfirmation,
} from '../../specs/compare-environments.ts';
import { environmentDigest } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment } from '../../specs/nouns.ts';

export interface ApplyOptions {
  author: string;
  reason: string;
  /** An operator said that a large cut is meant. */
  confirmed: boolean;
  /** The generation that was looked at; another one now means GENERATION_STALE. */
  expectGeneration?: number;
  /** ms since the Unix epoch. */
  at: number;
}

export interface Applied {
  generation: number;
  /** False where the same was declared already: no new generation then. */
  changed: boolean;
  diff: EnvironmentDiff;
}

/**
 * Makes `environment` the declared one, also where the one before it was damaged. Errors: REFUSED_COUNT_CUT where more than half would go and it was not confirmed,
 * GENERATION_STALE where somebody else declared something meanwhile.
 */
export async function applyEnvironment(
  client: RegistryClient,
  environment: Environment,
  options: ApplyOptions,
): Promise<Applied> {
  const { record: current, damage } = await readDeclared(client);
  const diff = compareEnvironments(current?.environment, environment);
  if (current && !damage && current.digest === environmentDigest(environment)) {
    return { generation: current.generation, changed: false, diff };
  }
  const doubt = needsConfirmation(current?.environment, environment);
  if (doubt && !options.confirmed) {
    throw new McpError('REFUSED_COUNT_CUT', doubt, { hint: 'If that is meant, say so with --yes.' });
  }
  const published = await publishDesired(client, {
    environment,
    author: options.author,
    reason: options.reason,
    allowance: allowanceFor(current?.environment, environment),
    expectGeneration: options.expectGeneration ?? current?.generation ?? 0,
    at: options.at,
  });
  await logDeclared(client, published, diff);
  return { generation: published.generation, changed: true, diff };
}

async function logDeclared(client: RegistryClient, desired: DesiredRecord, diff: EnvironmentDiff): Promise<void> {
  await appendEvent(client, {
    at: desired.at,
    actor: desired.author,
    kind: 'environment.declared',
    message: `generation ${desired.generation}: ${diff.countBefore} -> ${diff.countAfter} instances`,
    reason: desired.reason,
  });
}
