/** How a request's version is chosen where its service declares more than weights (see nginx/lua/mcp/choice.lua). Pure. */
import type { OperationSplit } from '../../../specs/choice.ts';
import type { Route } from '../route-table.ts';
import { isAtZero } from '../service-entry.ts';
import type { ExplainedInstance } from './explanation.ts';
import type { Question } from './question.ts';

export interface ExplainedChoice {
  words: string[];
  /** The version that alone may answer; null: any. */
  only: string | null;
  /** Versions that the request's operation is split to, and whether they get all of it. */
  splitTo: string[];
  isAllSplit: boolean;
}

/** `rest`: the path that instances see, with its query; null where none is reached. */
export function explainChoice(route: Route, { method, headers }: Question, rest: string | null): ExplainedChoice {
  const { sticky, override, split = [], mirror } = route.proxy ?? {};
  const asked = override === undefined ? undefined : headers.get(override.toLowerCase());
  const path = (rest ?? '').split('?', 1)[0] ?? '';
  const own = splitOf(split, method, path);
  const live = own.filter(({ to }) => isThere(route, to));
  const isAllSplit = live.reduce((sum, { weight }) => sum + weight, 0) >= 100;
  const words = own.map(({ to, weight }) => {
    const operation = `${own[0]?.method} ${own[0]?.path}`;
    if (!isThere(route, to)) return `${weight} % of ${operation} are declared for ${to}, which has no instance`;
    return `${weight} % of ${operation} go to ${to}${isAllSplit ? '' : ', the rest by weight'}`;
  });
  const mirrored = mirror !== undefined && (method === 'GET' || method === 'HEAD');
  return {
    words: [
      ...(asked ? [`${override} asks for version ${asked}: it answers, or none does`] : words),
      ...(override !== undefined && !asked ? [`a request may name its version in ${override}`] : []),
      ...(sticky && !asked ? [`a client keeps its version, told by ${stickyWord(sticky)}`] : []),
      ...(mirrored ? [`${mirror.weight} % are copied to ${mirror.to}, whose answers reach nobody`] : []),
    ],
    only: asked || null,
    splitTo: asked ? [] : live.filter(({ weight }) => weight > 0).map(({ to }) => to),
    isAllSplit: !asked && isAllSplit,
  };
}

/** What the choice changes of instances' chances. */
export function chosenAmong(
  route: Route,
  instances: ExplainedInstance[],
  { only, splitTo, isAllSplit }: ExplainedChoice,
): ExplainedInstance[] {
  return instances.map((one, at) => {
    if (only !== null && one.version !== only) return { ...one, chance: 'no', why: `version ${only} is asked for` };
    if (isAllSplit && !splitTo.includes(one.version) && one.chance !== 'no')
      return { ...one, chance: 'last', why: `all of this operation's requests go to ${splitTo.join(' and ')}` };
    const instance = route.instances[at];
    if (instance === undefined || !route.proxy || !isAtZero(route, instance)) return one;
    const weightless = 'its version has weight 0';
    if (only !== null) return { ...one, chance: 'yes', why: `${weightless}, but is asked for` };
    if (splitTo.includes(one.version)) {
      return { ...one, chance: 'yes', why: `${weightless}, but a part of this operation's requests` };
    }
    return { ...one, why: `${weightless}: only requests split to it, copied to it or naming it come here` };
  });
}

/** It may be sent requests, at weight 0 too. */
function isThere(route: Route, version: string): boolean {
  return route.instances.some((one) => one.version === version && (one.weight > 0 || isAtZero(route, one)));
}

function stickyWord(sticky: { by: 'cookie' | 'client' } | { by: 'header'; name: string }): string {
  return sticky.by === 'header' ? `header ${sticky.name}` : sticky.by === 'client' ? 'its address' : 'a cookie';
}

/** All shares of the first operation that fits. */
function splitOf(split: readonly OperationSplit[], method: string, path: string): OperationSplit[] {
  const shape = (template: string) => template.replaceAll(/\{[^}]*\}/g, '{}');
  const first = split.find((one) => one.method === method && fits(shape(one.path), path));
  return split.filter((one) => one.method === first?.method && shape(one.path) === shape(first?.path ?? ''));
}

function fits(template: string, path: string): boolean {
  const escaped = template.split('{}').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('[^/]+')}$`).test(path);
}
