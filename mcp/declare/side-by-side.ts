/** `mcp ab SERVICE V1=90 V2=10` as a change of the declared service. Counts and weights are separate things. Pure. */

import { McpError } from '../../specs/errors.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { bounded } from '../rollout/redeclare.ts';
import { namesOf } from '../rollout/sides.ts';
import { largestCount } from './scale.ts';

/** What the command says of one version. */
export interface VersionShare {
  version: string;
  /** 0 to 100, relative to the others. */
  weight: number;
  /** Absent: as many as it has, or enough for its share where it has none. */
  count?: number;
}

const largestWeight = 100;

/** `1.2.0=90` and `1.3.0=10:2`; none at all are none. Errors: USAGE_BAD_OPTION. */
export function parseShares(words: readonly string[]): VersionShare[] {
  const shares = words.map(parseShare);
  if (shares.length === 0) return shares;
  const twice = shares.find(({ version }, at) => shares.findIndex((one) => one.version === version) !== at);
  if (twice) throw bad(`${twice.version} is named twice`);
  if (shares.length === 1) throw bad('one version alone is no A/B');
  if (shares.every(({ weight }) => weight === 0)) throw bad('all weights are 0: no version would get a request');
  return shares;
}

function parseShare(word: string): VersionShare {
  const [, version = '', weight, count] =
    /^([0-9A-Za-z][0-9A-Za-z.-]{0,39})=(\d{1,4})(?::(\d{1,5}))?$/.exec(word) ?? [];
  if (weight === undefined) throw bad(`"${word}" is no VERSION=WEIGHT`);
  if (Number(weight) > largestWeight) throw bad(`${word}: a weight is at most ${largestWeight}`);
  if (count === undefined) return { version, weight: Number(weight) };
  if (Number(count) < 1 || Number(count) > largestCount) throw bad(`${word}: a count is 1 to ${largestCount}`);
  return { version, weight: Number(weight), count: Number(count) };
}

function bad(message: string): McpError {
  return new McpError('USAGE_BAD_OPTION', message, {
    hint: 'Give two versions or more, each with a weight from 0 to 100: mcp ab dns 1.2.0=90 1.3.0=10, or 1.3.0=10:2 for 2 instances.',
  });
}

/** Versions that are named and have no instance declared: what they run is to be found out before `sideBySide`. */
export function newcomers(declared: Service, shares: readonly VersionShare[]): string[] {
  const running = runningVersions(declared);
  return shares.map(({ version }) => version).filter((name) => !running.some(({ version }) => version === name));
}

/** Versions that get no request now, and are to get some: they run at weight 0, or not at all. */
export function entering(declared: Service, shares: readonly VersionShare[]): string[] {
  const served = runningVersions(declared).filter(({ weight }) => weight !== 0);
  return shares
    .filter(({ version, weight }) => weight > 0 && !served.some((one) => one.version === version))
    .map(({ version }) => version);
}

/** The same shares before these versions get any: nothing else loses its last request by it. */
export function sharesBefore(shares: readonly VersionShare[], names: readonly string[]): VersionShare[] {
  return shares.map((share) => ({ ...share, weight: names.includes(share.version) ? 0 : Math.max(1, share.weight) }));
}

/**
 * The service with these weights. Versions that run keep their counts unless told otherwise; `fresh` has what the others run.
 * What is not named and runs nothing stays declared, at weight 0. Errors: USAGE_BAD_OPTION where a version runs that is not
 * named: what it gets would be a guess.
 */
export function sideBySide(
  declared: Service,
  shares: readonly VersionShare[],
  fresh: ReadonlyMap<string, Version>,
  countOfFresh?: number,
): Service {
  const running = runningVersions(declared);
  const unnamed = running.filter(({ version }) => !shares.some((share) => share.version === version));
  if (unnamed.length > 0) {
    throw new McpError('USAGE_BAD_OPTION', `${namesOf(unnamed)} of ${declared.name} runs too and is not named`, {
      hint: `Name it too; ${unnamed[0]?.version}=0 leaves it without traffic.`,
    });
  }
  const sum = shares.reduce((all, { weight }) => all + weight, 0);
  const instances = running.reduce((all, { count }) => all + count, 0);
  const named = shares.map(({ version, weight, count }): Version => {
    const runs = running.find((one) => one.version === version);
    if (runs) return { ...runs, weight, count: count ?? runs.count };
    const spec = fresh.get(version);
    if (!spec) throw new Error(`nobody said what ${version} runs`);
    const enough = Math.max(1, Math.ceil((instances * weight) / sum));
    return { ...spec, weight, count: count ?? countOfFresh ?? Math.min(largestCount, enough) };
  });
  const kept = declared.versions.map(
    (version): Version => named.find((one) => one.version === version.version) ?? { ...version, weight: 0 },
  );
  const added = named.filter(({ version }) => !kept.some((one) => one.version === version));
  return { ...declared, versions: bounded([...kept, ...added], ({ count }) => count > 0) };
}
