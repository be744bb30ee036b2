/**
 * The seam between the gateway and the merged OpenAPI document: the daemon says what is live, the source says what the
 * document is. proxy-daemon/document/ implements it; the gateway publishes what it gives together with the routes.
 */
import type { DoorOperation } from '../specs/front-door.ts';

/** One live instance that serves an OpenAPI document. Address and port are the registered ones: nothing else may be fetched. */
export interface DocumentTarget {
  service: string;
  version: string;
  /** An IP address. */
  address: string;
  port: number;
  /** Path of the document at the instance, e.g. `/openapi.json`. */
  path: string;
  /** URL prefix of the service at the gateway, e.g. `/dns`. */
  route: string;
  /** Share of the service's traffic; the version with the greatest sum is the one shown. Absent: the newest version is. */
  weight?: number;
}

/** What the document says about itself, and how large its parts may be; from the environment's `gateway` part. */
export interface DocumentInfo {
  title: string;
  description: string;
  /** A service's document of more bytes than this is not read. Absent: the source's own bound. */
  maxBytes?: number;
  /** Of services that declare something of the front door, by name. */
  doors?: Record<string, DocumentDoor>;
}

/** What the gateway asks of a service's callers before it asks the service; of callers of these operations something else. */
export interface DocumentDoor extends DocumentRules {
  /** Complete; the most exact first. */
  operations: (DocumentRules & DoorOperation & { own: { access: boolean } })[];
}

export interface DocumentRules {
  /** The header that carries an API key; null: none is asked for. */
  keyHeader: string | null;
  /** A user and password are asked for. */
  users: boolean;
  /** A client certificate is required. */
  certificate: boolean;
  /** The service has bounds of its own for bodies, and for the rate of requests. */
  bodies: boolean;
  rate: boolean;
}

/** Where one service version's part of the document comes from, for /status and `mcp why`. */
export interface DocumentSourceState {
  service: string;
  version: string;
  /** `fresh`: read from a live instance. `stale`: the last good one, since reading fails. `missing`: never read. */
  state: 'fresh' | 'stale' | 'missing';
  /** sha256 of the document as read; absent while missing. */
  digest?: string;
  /** When the document in use was read, ms since the Unix epoch. */
  readAt?: number;
  /** `address:port/path` of the last read or attempt. */
  from?: string;
  /** Why it is stale or missing, or what was left out; empty where all is well. */
  problem: string;
}

/** Where a gateway's documents are written; all absolute, below one folder that nginx's workers can read. */
export interface DocumentFolders {
  /** Made for one document, a folder: openapi.json, openapi.yaml and services.json, each also packed (.gz), and its `digest`. */
  merged: string;
  /** What was made so and is served until now, if there is one: the new files are younger. */
  served: string;
  /** What was made for documents before that one: to be removed. */
  past: readonly string[];
  /** One folder a service, with openapi.json and openapi.yaml: replaced file by file. */
  services: string;
  /**
   * The folder of pieces: then `merged` is no folder but a file with lists of pieces (document/piece-list.ts), and a change writes what
   * changed. Null: whole files.
   */
  pieces: string | null;
}

/** The merged document at one time. Its text is in no one's hands until it is written: it may be tens of megabytes. */
export interface MergedDocument {
  /** sha256 over what it is made of, hex: equal digests are the same document. */
  digest: string;
  /** Number of operations in it. */
  operations: number;
  readonly sources: readonly DocumentSourceState[];
  /**
   * Writes the files, with `generation` as `x-mcp-generation`, the first key. Off the event loop. Rejects with GATEWAY_DISK
   * or DOCUMENT_CLOSED; then `merged` holds nothing to be served.
   */
  write(to: DocumentFolders, generation: number): Promise<void>;
}

/** What the caller of a request got, and what another version answered to a copy of it; both by the same status. */
export interface AnswerPair {
  service: string;
  /** The version that answered the caller, and the one that got the copy. */
  version: string;
  to: string;
  method: string;
  /** As the instance saw it, with the query. */
  path: string;
  status: number;
  answer: SeenAnswer;
  copy: SeenAnswer;
}

interface SeenAnswer {
  /** The Content-Type and Content-Encoding headers; empty where there is none. */
  type: string;
  encoding: string;
  body: Uint8Array;
}

export interface AnswerVerdict {
  /** `unknown`: what the caller got is not JSON, or it takes too long to tell. */
  outcome: 'conforms' | 'deviates' | 'unknown';
  /** By what the copy was measured: by the document of the version that answered, or by its answer. */
  basis: 'document' | 'answer';
  /** `GET /zones/{id}` as in the document; the method alone where it is in none. */
  operation: string;
  /** Null where it does not deviate. Never a value. */
  deviation: { where: string; expected: string; found: string } | null;
}

export interface DocumentSource {
  /**
   * Tells the complete set of live instances with a document, and what the document says of itself. Cheap and
   * synchronous; reading goes on in the background. Called with an equal set it does nothing.
   */
  update(targets: readonly DocumentTarget[], info: DocumentInfo): void;
  /** The document as of now, at once: before anything was read it is an empty but valid one. */
  current(): MergedDocument;
  /** Called whenever `current()` has another digest or other source states; returns the unsubscriber. */
  onChange(listener: () => void): () => void;
  /** Compares answers by their shape, off the event loop. Rejects with DOCUMENT_TOO_COMPLEX or DOCUMENT_CLOSED. */
  compareAnswers(pair: AnswerPair): Promise<AnswerVerdict>;
  /** Stops reading. Idempotent. */
  close(): Promise<void>;
}
