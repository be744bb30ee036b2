/** What a service's door asks of a request before it goes on. Pure. */
import type { DoorOperation } from '../../../specs/front-door.ts';
import { findOperation } from '../operation-pattern.ts';
import type { Question } from './question.ts';

/** What there is to know of a door, without whose keys they are. */
export interface RuleWords {
  /** Why nobody is let through; empty where the rest says who is. */
  closed: string;
  apiKeys: { header: string; clients: number } | null;
  users: boolean;
  clientCertificate: 'required' | 'optional' | null;
  rate: { requests: number; per: 's' | 'm'; burst: number } | null;
  bodyBytes: number | null;
}

interface PlaceWords extends RuleWords {
  origins: string[] | null;
}

export interface DoorWord extends PlaceWords {
  service: string;
  /** Operations with a door of their own. */
  operations: (PlaceWords & DoorOperation & { own: { access: boolean } })[];
}

export interface DoorVerdict {
  /** In the order in which nginx checks. */
  checks: string[];
  /** Null: the rest of the request decides. */
  outcome: { kind: 'gateway' | 'refused'; status: number; why: string } | null;
}

const open: DoorVerdict = { checks: [], outcome: null };

/** `rest`: what is behind the route, with the query; null: nothing of the service's is asked for. */
export function explainDoor(
  door: DoorWord | undefined,
  question: Question,
  rest: string | null,
  mode: string,
): DoorVerdict {
  if (door === undefined) return open;
  const operation = rest === null ? null : findOperation(door.operations, question.method, rest);
  if (operation === null) return explainPlace(door, question, mode);
  if (operation === 'refused') {
    const why = 'instances may take the path for an operation that has access of its own, but it is not spelt as that';
    return { checks: [], outcome: { kind: 'refused', status: 400, why } };
  }
  const { checks, outcome } = explainPlace(operation, question, mode);
  return { checks: [`${operation.method} ${operation.path} has a door of its own`, ...checks], outcome };
}

function explainPlace(door: PlaceWords, { method, headers }: Question, mode: string): DoorVerdict {
  if (door.closed !== '') return { checks: [], outcome: closed(door.closed) };
  if (door.apiKeys !== null && mode === 'plain') {
    return { checks: [], outcome: closed('it needs API keys, which nginx without Lua can not check') };
  }
  const { rate } = door;
  const checks = [
    door.bodyBytes === null ? '' : `a body of at most ${door.bodyBytes} bytes, else 413`,
    door.origins === null ? '' : `pages of ${door.origins.join(', ')} may read the answer (CORS)`,
    door.clientCertificate === 'required' ? 'a client certificate, else 403' : '',
    door.apiKeys === null ? '' : `an API key of ${door.apiKeys.clients} known in ${door.apiKeys.header}, else 401`,
    rate === null ? '' : `${rate.requests}/${rate.per} for a client and ${rate.burst} at once beyond that, else 429`,
    door.users ? 'a user and password, else 401' : '',
  ].filter(Boolean);
  const isPreflight = method === 'OPTIONS' && headers.get('access-control-request-method');
  if (door.origins === null || !isPreflight) return { checks, outcome: null };
  return { checks, outcome: { kind: 'gateway', status: 204, why: 'a preflight: the gateway answers it by itself' } };
}

function closed(why: string): DoorVerdict['outcome'] {
  return { kind: 'refused', status: 501, why: `the door is closed to everybody: ${why}` };
}
