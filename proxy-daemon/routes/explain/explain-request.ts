/** Where a request would go and why, and why nowhere else. Pure. */
import { nearMiss } from '../../../specs/near-miss.ts';
import type { Rejected, Route } from '../route-table.ts';
import { proxyOf } from '../service-entry.ts';
import { chosenAmong, explainChoice } from './explain-choice.ts';
import { type DoorWord, explainDoor } from './explain-door.ts';
import { explainInstances, type Moment } from './explain-instances.ts';
import { explainVersions, type RolloutWord } from './explain-versions.ts';
import type { Explanation, Tries } from './explanation.ts';
import { findTarget, isBelow, type Target } from './find-target.ts';
import type { Question } from './question.ts';

export interface ExplainInput
  extends Pick<Explanation, 'gateway' | 'at' | 'mode' | 'modeReason' | 'generation' | 'environment'> {
  question: Question;
  /** Those that are served. */
  routes: readonly Route[];
  rejected: readonly Rejected[];
  doors: readonly DoorWord[];
  rollout: (service: string) => RolloutWord | null;
  moment: Moment | null;
  /** What HTTP requests are sent on to; null: nowhere. */
  redirect: string | null;
  /** What else is to be known, such as why the routes are not what the registry says. */
  notes: readonly string[];
}

const mostPassedOver = 8;
const mostLeftOut = 50;
/** nginx takes these for idempotent. */
const idempotent = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];

export function explainRequest(input: ExplainInput): Explanation {
  const { question, routes, mode, moment } = input;
  const { path, target } = findTarget(question.path, routes, mode === 'plain');
  const route = target.kind === 'own' ? null : target.route;
  const door = explainDoor(
    input.doors.find(({ service }) => service === route?.service),
    question,
    target.kind === 'route' ? target.rest : null,
    mode,
  );
  const choice =
    route === null || mode === 'plain'
      ? { words: [], only: null, splitTo: [], isAllSplit: false }
      : explainChoice(route, question, target.kind === 'route' ? target.rest : null);
  const chances = route === null ? [] : explainInstances(route, moment, input.at);
  const instances = route === null || mode === 'plain' ? chances : chosenAmong(route, chances, choice);
  const isLasting = asksToLast(question);
  const { gateway, at, modeReason, generation, environment } = input;
  return {
    ...{ gateway, at, mode, modeReason, generation, environment },
    ...{ method: question.method, asked: question.path, path },
    outcome: outcomeOf(target, door.outcome, instances),
    route: route && {
      prefix: route.prefix,
      service: route.service,
      declared: route.declared,
      rest: target.kind === 'route' ? target.rest : null,
    },
    passedOver: path === null || target.kind === 'own' ? [] : passedOver(path, route, routes),
    door: door.checks,
    versions: route === null ? [] : explainVersions(route, input.rollout(route.service)),
    choice: choice.words,
    instances,
    leftOut: route === null ? [] : leftOutOf(route, input.rejected),
    tries: route === null ? null : triesOf(route, question, mode, isLasting),
    notes: [
      ...(input.redirect !== null && target.kind !== 'own'
        ? [`asked by HTTP it is sent on to ${input.redirect} (308); this is what HTTPS gets`]
        : []),
      ...(route?.holding ? [`instances are held: ${route.holding}`] : []),
      ...(isLasting && route !== null && mode === 'dynamic'
        ? ['it asks for a connection that lasts: it is passed on unbuffered, and ended after the drain time']
        : []),
      ...(mode === 'plain' && route?.proxy
        ? ['plain mode does not follow the service’s own timeouts, retries and choice of version']
        : []),
      ...input.notes,
    ],
  };
}

function outcomeOf(
  target: Target,
  atDoor: Explanation['outcome'] | null,
  instances: Explanation['instances'],
): Explanation['outcome'] {
  if (target.kind === 'own') return { kind: 'gateway', status: null, why: target.why };
  if (target.kind === 'refused') return { kind: 'refused', status: target.status, why: target.why };
  const able = instances.filter(({ chance }) => chance !== 'no').length;
  if (able === 0) return { kind: 'refused', status: 503, why: noneWhy(instances) };
  if (atDoor !== null) return atDoor;
  const { service, prefix } = target.route;
  const words = able === 1 ? 'one instance' : `one of ${able} instances`;
  return { kind: 'instance', status: null, why: `route ${prefix} leads to ${words} of ${service}` };
}

function noneWhy(instances: Explanation['instances']): string {
  const isAsked = instances.some(({ why }) => / is asked for$/.test(why));
  return isAsked ? 'the version that is asked for has no live instance' : 'the service has no live instance';
}

/** Routes that one might have expected instead. */
function passedOver(path: string, route: Route | null, routes: readonly Route[]): Explanation['passedOver'] {
  const lower = path.toLowerCase();
  const others = routes.filter((one) => one !== route);
  const first = (text: string) => text.split('/')[1] ?? '';
  const near = nearMiss(first(path), new Set(others.map(({ prefix }) => first(prefix))));
  const why = ({ prefix }: Route): string => {
    if (isBelow(path, prefix)) return route ? `it begins the path too, but ${route.prefix} is longer` : '';
    if (isBelow(lower, prefix)) return 'only the case differs, and routes are compared with it';
    if (isBelow(prefix, path.replace(/\/+$/, '') || '/'))
      return path === '/' ? '' : `the path ends before ${prefix} does`;
    if (route !== null && route.prefix !== '/' && isBelow(prefix, route.prefix))
      return `the path is not below ${prefix}`;
    if (path.startsWith(prefix) && prefix !== '/') return `segments count as a whole: ${prefix} is none of the path's`;
    return route === null && first(prefix) === near ? 'looks similar' : '';
  };
  return others
    .flatMap((one) => {
      const reason = why(one);
      return reason === '' ? [] : [{ prefix: one.prefix, service: one.service, why: reason }];
    })
    .slice(0, mostPassedOver);
}

function leftOutOf({ service, instances }: Route, rejected: readonly Rejected[]): Rejected[] {
  const folders = [`/services/${service}`, ...instances.filter((one) => one.dialect).map((one) => folderOf(one.path))];
  return rejected
    .filter(({ path }) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    .slice(0, mostLeftOut);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function asksToLast({ headers }: Question): boolean {
  return headers.has('upgrade') || (headers.get('accept') ?? '').includes('text/event-stream');
}

const lastingMs = 3_600_000;

function triesOf(route: Route, { method }: Question, mode: string, isLasting: boolean): Tries {
  const isPlain = mode === 'plain';
  const proxy = proxyOf(isPlain ? {} : route);
  const any = idempotent.includes(method) || proxy.retryNonIdempotent;
  const silence = isLasting && !isPlain && !route.proxy ? lastingMs : null;
  return {
    protocol: proxy.protocol,
    most: isPlain ? 3 : proxy.retries + 1,
    budgetPercent: isPlain ? null : proxy.retryBudget,
    when: any
      ? 'an instance can not be reached, closes the connection or takes too long'
      : `an instance can not be reached: ${method} that was sent is not sent again`,
    connectMs: proxy.connectTimeoutMs,
    sendMs: silence ?? proxy.sendTimeoutMs,
    readMs: silence ?? proxy.readTimeoutMs,
    markDownMs: isPlain ? 2000 : proxy.markDownMs,
  };
}
