/**
 * How a service's versions are chosen beside their weights, as the dynamic gateway's workers read it (see
 * nginx/lua/mcp/choice-text.lua). Pure. As with all of an entry, nothing is written but what its kind may hold.
 *
 *   sticky=cookie | sticky=client | sticky=<variable of the header>      override=<variable of the header>
 *   split=<method>,<path with * for its parameters>,<version>:<percent>;...
 *   mirror=<version>:<percent>      words with a space between them
 */
import { type ChoiceSpec, headerName, longestTemplate, pathTemplate, splitMethods } from '../../specs/choice.ts';
import type { Route } from './route-table.ts';
import { versionProblem } from './safe-values.ts';

/** Empty where the weights alone decide. */
export function choiceText({ sticky, override, split = [], mirror }: ChoiceSpec): string {
  const by = sticky?.by === 'header' ? variableOf(sticky.name) : sticky?.by;
  const splits = Map.groupBy(split.filter(isSound), ({ method, path }) => `${method},${asPattern(path)}`);
  return [
    ...(by === undefined || by === null ? [] : [`sticky=${by}`]),
    ...(override === undefined || variableOf(override) === null ? [] : [`override=${variableOf(override)}`]),
    ...[...splits].map(([operation, all]) => {
      return `split=${operation},${all.map(({ to, weight }) => `${to}:${rounded(weight)}`).join(';')}`;
    }),
    ...(mirror && isShare(mirror) ? [`mirror=${mirror.to}:${rounded(mirror.weight)}`] : []),
  ].join(' ');
}

/** Versions that may get requests though their weight is 0; null: all. */
export function wantedAtZero({ override, split = [], mirror }: ChoiceSpec): ReadonlySet<string> | null {
  return override === undefined ? new Set([...split, ...(mirror ? [mirror] : [])].map(({ to }) => to)) : null;
}

const mostNamed = 5;

/** For modes without any of this: what is declared and does nothing there; empty where nothing is. */
export function unheededChoices(routes: readonly Pick<Route, 'service' | 'proxy'>[]): string {
  const names = routes.flatMap(({ service, proxy }) => (proxy && choiceText(proxy) !== '' ? [service] : []));
  if (names.length === 0) return '';
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `sticky, override, split and mirror need dynamic mode; here they do nothing for ${names.slice(0, mostNamed).join(', ')}${more}`;
}

/** Never written with an exponent. */
function rounded(percent: number): number {
  return Math.round(percent * 1000) / 1000;
}

/** nginx's variable of a request header. */
function variableOf(header: string): string | null {
  return headerName.test(header) ? `http_${header.toLowerCase().replaceAll('-', '_')}` : null;
}

function isSound({ method, path, to, weight }: NonNullable<ChoiceSpec['split']>[number]): boolean {
  return (
    splitMethods.some((one) => one === method) &&
    path.length <= longestTemplate &&
    pathTemplate.test(path) &&
    isShare({ to, weight })
  );
}

function isShare({ to, weight }: { to: string; weight: number }): boolean {
  return versionProblem(to) === '' && weight >= 0 && weight <= 100;
}

function asPattern(path: string): string {
  return path.replaceAll(/\{[^}]*\}/g, '*');
}
