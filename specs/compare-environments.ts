/** Two generations side by side: what changes, what an author gives up by it, and what must be asked first. Pure. */
import { canonicalJson } from './canonical-json.ts';
import type { Environment, Service, Version } from './nouns.ts';

type Change = 'added' | 'removed' | 'changed' | 'same';

interface VersionDiff {
  version: string;
  change: Change;
  countBefore: number;
  countAfter: number;
  weightBefore?: number;
  weightAfter?: number;
  /** What instances run differs: each must be replaced. */
  digestChanged: boolean;
}

export interface ServiceDiff {
  service: string;
  change: Change;
  countBefore: number;
  countAfter: number;
  /** Settings of the service that differ, by their names in nouns.ts, e.g. `route`, `config`. */
  settings: string[];
  /** In the order of the later generation, removed ones last; the same ones too. */
  versions: VersionDiff[];
}

export interface EnvironmentDiff {
  change: Exclude<Change, 'removed'>;
  countBefore: number;
  countAfter: number;
  /** Settings of the environment that differ: `name`, `pool`, `gateway`. */
  settings: string[];
  services: ServiceDiff[];
}

/** What `after` changes against `before`; against nothing (the first generation), all is added. */
export function compareEnvironments(before: Environment | undefined, after: Environment): EnvironmentDiff {
  const services = paired(before?.services ?? [], after.services, ({ name }) => name).map(([old, now]) =>
    compareServices(old, now),
  );
  const settings = before === undefined ? [] : differing(before, after, ['services']);
  const changed = settings.length > 0 || services.some(({ change }) => change !== 'same');
  return {
    change: before === undefined ? 'added' : changed ? 'changed' : 'same',
    countBefore: sum(services, 'countBefore'),
    countAfter: sum(services, 'countAfter'),
    settings,
    services,
  };
}

/**
 * Instances of each service that the author of `after` knowingly gives up (DesiredRecord.allowance): those no longer
 * wanted and those of a version whose digest changed. Services that lose none are left out.
 */
export function allowanceFor(before: Environment | undefined, after: Environment): Record<string, number> {
  const losses = compareEnvironments(before, after).services.map(({ service, versions }): [string, number] => {
    const lost = versions.map((diff) => Math.max(0, diff.countBefore - (diff.digestChanged ? 0 : diff.countAfter)));
    return [service, lost.reduce((all, one) => all + one, 0)];
  });
  return Object.fromEntries(losses.filter(([, lost]) => lost > 0));
}

/**
 * Why a person must confirm the change, as a sentence; undefined where none need be asked. More than half of a service's
 * instances or of all instances gone in one step is more often a slip (a blank, a lost line) than a wish.
 */
export function needsConfirmation(before: Environment | undefined, after: Environment): string | undefined {
  const diff = compareEnvironments(before, after);
  const halved = ({ countBefore, countAfter }: { countBefore: number; countAfter: number }) =>
    countAfter * 2 < countBefore;
  const cuts = diff.services
    .filter(halved)
    .map(({ service, change, countBefore, countAfter }) =>
      change === 'removed'
        ? `removes service ${service} (${countBefore})`
        : `cuts service ${service} from ${countBefore} to ${countAfter}`,
    );
  if (cuts.length === 0 && !halved(diff)) return undefined;
  const shown = cuts.length > 5 ? [...cuts.slice(0, 5), `${cuts.length - 5} more like these`] : cuts;
  const all = halved(diff) ? [`all instances go from ${diff.countBefore} to ${diff.countAfter}`] : [];
  return `this takes away more than half of the instances: ${[...shown, ...all].join('; ')}`;
}

function compareServices(before: Service | undefined, after: Service | undefined): ServiceDiff {
  const versions = paired(before?.versions ?? [], after?.versions ?? [], ({ version }) => version).map(([old, now]) =>
    compareVersions(old, now),
  );
  const settings = before === undefined || after === undefined ? [] : differing(before, after, ['versions']);
  const changed = settings.length > 0 || versions.some(({ change }) => change !== 'same');
  return {
    service: (after ?? before)?.name ?? '',
    change: changeOf(before, after, changed),
    countBefore: sum(versions, 'countBefore'),
    countAfter: sum(versions, 'countAfter'),
    settings,
    versions,
  };
}

function compareVersions(before: Version | undefined, after: Version | undefined): VersionDiff {
  const digestChanged = before?.digest !== after?.digest;
  const changed = digestChanged || before?.count !== after?.count || before?.weight !== after?.weight;
  return {
    version: (after ?? before)?.version ?? '',
    change: changeOf(before, after, changed),
    countBefore: before?.count ?? 0,
    countAfter: after?.count ?? 0,
    ...(before?.weight === undefined ? {} : { weightBefore: before.weight }),
    ...(after?.weight === undefined ? {} : { weightAfter: after.weight }),
    digestChanged,
  };
}

function changeOf(before: unknown, after: unknown, changed: boolean): Change {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  return changed ? 'changed' : 'same';
}

/** Items of both lists by name: those of `after` in order, then those only `before` has. */
function paired<Item>(before: readonly Item[], after: readonly Item[], nameOf: (item: Item) => string) {
  const old = new Map(before.map((item) => [nameOf(item), item]));
  const kept = new Set(after.map(nameOf));
  return [
    ...after.map((item): [Item | undefined, Item | undefined] => [old.get(nameOf(item)), item]),
    ...before.filter((item) => !kept.has(nameOf(item))).map((item): [Item | undefined, undefined] => [item, undefined]),
  ];
}

function differing<Item extends object>(before: Item, after: Item, except: readonly string[]): string[] {
  const all = new Set([...Object.keys(before), ...Object.keys(after)].filter((key) => !except.includes(key)));
  const member = (item: Item, key: string) => canonicalJson((item as Record<string, unknown>)[key]) ?? '';
  return [...all].filter((key) => member(before, key) !== member(after, key));
}

function sum<Key extends string>(items: readonly Record<Key, number>[], key: Key): number {
  return items.reduce((all, item) => all + item[key], 0);
}
