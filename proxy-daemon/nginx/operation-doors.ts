/** Which of a service's doors a request goes to, as nginx finds it: a map from its method and path, of services with more than one. Pure. */
import type { FrontDoor, ServiceDoor } from '../front-door/front-door.ts';
import { operationPatterns, unsoundPath } from '../routes/operation-pattern.ts';
import { markOf } from './doors.ts';
import { block, type Directive, directive, entry, type NginxText, nginxText } from './emit.ts';

/** What the map of the service at this index gives: what its place has behind its service's, or `refusedPart`. */
export function operationName(index: number): string {
  return `mcp_operation_${index}`;
}

export function operationVariable(index: number): NginxText {
  return nginxText`$mcp_operation_${index}`;
}

/** Instead of a door's: the path could be taken for an operation's, but is not spelt as one. */
export const refusedPart = '/refused';

export function asksByOperation(door: ServiceDoor): boolean {
  return door.operations.some(({ own }) => own.access);
}

/** As `findOperation` in routes/operation-pattern.ts reads a request. */
export function operationMaps({ services }: FrontDoor): Directive[] {
  return services.flatMap((door, index) => {
    if (door.operations.length === 0) return [];
    const isStrict = asksByOperation(door);
    const entries = door.operations.flatMap((operation) => {
      const { strict, loose } = operationPatterns(operation);
      const part = `/o/${markOf(operation)}`;
      const anyCase = loose.map((pattern) => entry(nginxText`~*${pattern}`, isStrict ? refusedPart : part));
      return isStrict ? [entry(nginxText`~${strict}`, part), ...anyCase] : anyCase;
    });
    return [
      block(
        'map',
        [nginxText`$request_method $mcp_rest`, operationVariable(index)],
        [directive('default', ''), ...(isStrict ? [entry(nginxText`~*${unsoundPath}`, refusedPart)] : []), ...entries],
      ),
    ];
  });
}
