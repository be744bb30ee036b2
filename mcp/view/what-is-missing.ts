/** What keeps an environment from being as declared, in one line for people who wait for it. Pure. */
import type { WaitingRecord } from '../../registrar/status-records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';
import type { StatusView } from './status-view.ts';

/** What takes its time in any start: the counts say as much. */
const ordinary: ReadonlySet<WaitCause> = new Set([
  'starting',
  'unproven',
  'no-machine',
  'build',
  'slow-start',
  'shared-host',
  'refill-later',
  'replacement',
  'in-turn',
]);

/** Counts that are not as declared, then what is waited for that a start does not always wait for: one of each cause. */
export function whatIsMissing({ services, pool, leader, gateways, waiting }: StatusView): string {
  const counts = services
    .filter(({ live, desired }) => live < desired)
    .map(({ name, live, desired }) => `${name} ${live}/${desired}`);
  const leaving = services.flatMap(({ name, versions }) => {
    const old = versions.reduce((sum, { instances, desired }) => sum + Math.max(0, ours(instances) - desired), 0);
    return old > 0 ? [`${old} of ${name} to leave`] : [];
  });
  const { ready, building, target } = pool;
  return [
    ...counts,
    ...leaving,
    ...(leader === null ? ['no leader yet'] : []),
    ...(gateways.length === 0 ? ['no gateway yet'] : []),
    ...held(waiting),
    `pool ${ready}/${target} ready, ${building} building`,
    ...gateways.flatMap(({ id, holding }) => (holding ? [`${id}: ${holding}`] : [])),
  ].join(', ');
}

function ours(instances: StatusView['services'][number]['versions'][number]['instances']): number {
  return instances.filter(({ standalone, state }) => !standalone && state !== 'starting').length;
}

function held(waiting: readonly WaitingRecord[]): string[] {
  const byCause = new Map<WaitCause | undefined, WaitingRecord[]>();
  for (const one of waiting) byCause.set(one.cause, [...(byCause.get(one.cause) ?? []), one]);
  return [...byCause].flatMap(([cause, [first, ...others]]) => {
    if (first === undefined || (cause !== undefined && ordinary.has(cause))) return [];
    const more = others.length > 0 ? ` (and ${others.length} more like it)` : '';
    return [`${first.what} waits: ${first.why}${more}`];
  });
}
