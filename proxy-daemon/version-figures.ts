/** What the gateway has counted, by service version: for /status, for analysis of rollouts and A/B. Plain JSON. */

/** Counters since `since`; they only grow. A later `since` means that nginx started anew and all of them with it. */
export interface VersionFigures {
  service: string;
  version: string;
  requests: number;
  /** Answers of 500 and above, the gateway's own for this version among them. */
  errors5xx: number;
  /** Answers of 1xx (WebSockets), 3xx and 4xx; those of 2xx are the rest. */
  others?: { informational: number; redirects: number; errors4xx: number };
  /** Further tries on another instance, counted at the version whose instance failed. */
  retries: number;
  /** Copies of requests that other versions answered, see MirrorFigures; absent: none. */
  mirrored?: MirrorFigures;
  latencyMs: LatencyFigures;
}

/** Copies sent to a version, by what came of them; they count nowhere else. */
export interface MirrorFigures {
  /** Answered by the status that the caller got, by another one, not at all; and not sent, since too many were under way. */
  same: number;
  differing: number;
  failed: number;
  leftOut: number;
  /** Of those of the same status: bodies of the shape that callers are to get, and of another one. The rest was not compared. */
  conforming: number;
  deviating: number;
  /** The last one that deviates. */
  example?: DeviatingAnswer;
}

/** Where a copy's answer is not as callers are used to. Holds no value, and no name that the service's document does not list. */
export interface DeviatingAnswer {
  /** ms since the Unix epoch. */
  at: number;
  /** The version that answered the caller. */
  against: string;
  /** `GET /zones/{id}` as in the document, else the method alone. */
  operation: string;
  status: number;
  /** What it was measured by: the document of that version, or its answer. */
  basis: 'document' | 'answer';
  /** JSON Pointer into the body, `*` for names that are not told. */
  where: string;
  expected: string;
  found: string;
}

/** Times from choosing an instance to the end of the answer. Without WebSockets and event streams. */
interface LatencyFigures {
  /** Upper bounds, ms; the last bucket has none. */
  bounds: number[];
  /** Requests in each bucket, one more than there are bounds. Not cumulative. */
  counts: number[];
  sum: number;
}

/** Calls of one operation that somebody asks about. */
export interface WatchedCalls {
  service: string;
  /** As instances see it: `DELETE /v1/zones/{zone}`. */
  operation: string;
  requests: number;
  /** Since when it is counted, and the last call (0: none); ms since the Unix epoch. */
  since: number;
  lastAt: number;
}

/** Refusals that the gateway answered itself, no instance being chosen. */
export interface OwnAnswers {
  /** Empty where no route leads. */
  service: string;
  status: number;
  answers: number;
}

export interface TrafficReport {
  gateway: string;
  /** When this was read, and since when it is counted: ms since the Unix epoch. */
  at: number;
  since: number;
  versions: VersionFigures[];
  /** Absent: none. */
  own?: OwnAnswers[];
  /** Instances with requests in flight, WebSockets among them. */
  inFlight: { service: string; endpoint: string; requests: number }[];
  /** Endpoints passed over for some seconds because requests failed there. */
  down: string[];
  /** Counts that found no room. */
  uncounted: number;
  /** Absent: nobody asks about any. */
  watched?: WatchedCalls[];
}

/**
 * The bucket within which a share (0 to 1) of the requests were answered: an index of `counts`, past the last bound for the last
 * one; null where nothing was counted by time.
 */
export function bucketOf({ counts }: Pick<LatencyFigures, 'counts'>, share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let within = 0;
  return counts.findIndex((count) => {
    within += count;
    return within >= total * share;
  });
}

const latencyBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/** From lines `count <service> <version> <kind> <value>` (see nginx/lua/mcp/figures.lua). Unknown ones are passed over. */
export function readFigures(lines: readonly string[][]): VersionFigures[] {
  const found = new Map<string, VersionFigures>();
  for (const [word, service, version, kind, text] of lines) {
    if (word !== 'count' || !service || !version || !kind || kind === ownKind) continue;
    const key = `${service} ${version}`;
    const figures = found.get(key) ?? emptyFigures(service, version);
    found.set(key, figures);
    addCount(figures, kind, Number(text));
  }
  return [...found.values()].sort((a, b) => (`${a.service} ${a.version}` < `${b.service} ${b.version}` ? -1 : 1));
}

const ownKind = 'o';

/** From the same lines. */
export function readOwnAnswers(lines: readonly string[][]): OwnAnswers[] {
  return lines
    .filter(([word, , , kind]) => word === 'count' && kind === ownKind)
    .map(([, service = '', status, , count]) => {
      return { service: service === '-' ? '' : service, status: Number(status), answers: Number(count) };
    })
    .sort((a, b) => (a.service === b.service ? a.status - b.status : a.service < b.service ? -1 : 1));
}

function emptyFigures(service: string, version: string): VersionFigures {
  const latencyMs = { bounds: latencyBounds, counts: latencyBounds.map(() => 0).concat(0), sum: 0 };
  const others = { informational: 0, redirects: 0, errors4xx: 0 };
  return { service, version, requests: 0, errors5xx: 0, others, retries: 0, latencyMs };
}

const mirrorKinds: Record<string, Exclude<keyof MirrorFigures, 'example'>> = {
  ms: 'same',
  md: 'differing',
  mf: 'failed',
  mx: 'leftOut',
  mk: 'conforming',
  mv: 'deviating',
};
const noCopies: MirrorFigures = { same: 0, differing: 0, failed: 0, leftOut: 0, conforming: 0, deviating: 0 };

function addCount(figures: VersionFigures, kind: string, value: number): void {
  const mirrored = mirrorKinds[kind];
  if (mirrored) {
    figures.mirrored = { ...noCopies, ...figures.mirrored, [mirrored]: value };
    return;
  }
  const { others } = figures;
  if (kind === 'n') figures.requests = value;
  else if (kind === 'e') figures.errors5xx = value;
  else if (others && kind === 'c1') others.informational = value;
  else if (others && kind === 'c3') others.redirects = value;
  else if (others && kind === 'c4') others.errors4xx = value;
  else if (kind === 'r') figures.retries = value;
  else if (kind === 's') figures.latencyMs.sum = value;
  else if (kind.startsWith('b')) {
    const bound = kind === 'b' ? latencyBounds.length : latencyBounds.indexOf(Number(kind.slice(1)));
    if (bound >= 0) figures.latencyMs.counts[bound] = value;
  }
}
