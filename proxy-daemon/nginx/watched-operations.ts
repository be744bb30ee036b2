/** Operations whose calls nginx counts, as it is told of them and tells of them (lua/mcp/watched.lua): words of one line. Pure. */
import type { WatchedOperation } from '../gateway-backend.ts';
import type { WatchedCalls } from '../version-figures.ts';

/** Lines `<service> <method> <pattern> <template>`, the pattern one of Lua's. */
export function watchText(operations: readonly WatchedOperation[]): string {
  return operations
    .map(({ service, operation }) => {
      const [method = '', template = ''] = operation.split(' ', 2);
      return `${service} ${method} ${luaPattern(template)} ${template}\n`;
    })
    .join('');
}

/** From lines `watched <service> <method> <template> <count> <since> <last>`. */
export function readWatched(lines: readonly string[][]): WatchedCalls[] {
  return lines.flatMap(([word, service = '', method, template, requests, since, last]) =>
    word === 'watched'
      ? [
          {
            service,
            operation: `${method} ${template}`,
            requests: Number(requests),
            since: Number(since),
            lastAt: Number(last),
          },
        ]
      : [],
  );
}

/** A parameter is a part between slashes, or of one; all else is meant as written. */
function luaPattern(template: string): string {
  const parts = template.split(/\{[^{}]*\}/).map((text) => text.replace(/[^A-Za-z0-9/]/g, '%$&'));
  return `^${parts.join('[^/]+')}$`;
}
