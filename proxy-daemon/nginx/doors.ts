/** The doors that services have, one each and one for each operation that declares its own, and where they are. Pure. */
import { createHash } from 'node:crypto';
import type { DoorOperation } from '../../specs/front-door.ts';
import type { DoorRules, ServiceDoor } from '../front-door/front-door.ts';

/** Where a service's door is; no route leads below /_mcp. */
export function doorPlace(service: string, isStream = false): string {
  return `/_mcp/door/${service}${isStream ? '/stream' : ''}`;
}

export interface Door extends DoorRules, Pick<ServiceDoor, 'service' | 'protocol' | 'retryNonIdempotent' | 'cors'> {
  /** What its place has behind its service's: empty, or `/o/` and the operation's mark. */
  part: string;
  /** Under what its keys are known, and where its requests are counted; null: nowhere. */
  keys: string;
  zone: string | null;
}

/** The service's own first. */
export function doorsOf(door: ServiceDoor): Door[] {
  const { service, protocol, retryNonIdempotent, cors, operations, ...rules } = door;
  const common = { service, protocol, retryNonIdempotent, cors };
  const zone = `mcp_limit_${service}`;
  return [
    { ...common, ...rules, part: '', keys: service, zone: rules.rate && zone },
    ...operations.map(({ method, path, own, ...of }) => {
      const mark = markOf({ method, path });
      const part = `/o/${mark}`;
      return {
        ...{ ...common, ...of, part, keys: own.access ? `${service}${part}` : service },
        zone: of.rate && (own.rate ? `${zone}_${mark}` : zone),
      };
    }),
  ];
}

/** The same as long as the operation is: so a change of another one leaves its counts alone. */
export function markOf({ method, path }: DoorOperation): string {
  return createHash('sha256').update(`${method} ${path}`).digest('hex').slice(0, 12);
}
