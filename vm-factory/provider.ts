/**
 * Where machines come from. The contract every provider keeps (test/conformance/provider.ts runs it on each):
 *
 * - `create` is asked at most once for one operation id by a healthy controller, but a reply may be lost, so a caller whose
 *   create ended `unknown` looks with `find` before anything else. Creating twice with one operation id gives the same machine,
 *   completed where a crash left it half-made; a uuid that another operation made, or another cluster's, is refused.
 * - `destroy` is idempotent, may be late, and of a machine that does not exist succeeds. Its success means "accepted". Only
 *   a list or an event that says so makes a machine gone.
 * - `list` gives all machines that carry our cluster id, or fails; never a part. A machine whose state the provider can't
 *   tell is listed as `unknown`, which is not "gone".
 *   One that died is listed as `stopped` or `error` until it is destroyed.
 * - `events` are hints ("look at uuid") that may be lost, doubled or late; the slow list is the truth.
 * - Errors are McpErrors: PROVIDER_REFUSED (quota, bad request: a retry does not help), PROVIDER_UNKNOWN (the call may have
 *   worked: find the operation id), PROVIDER_UNAVAILABLE (retryable, nothing was done).
 */
import type { WarmOrder } from '../registrar/agent/warm-service.ts';
import type { Flavor } from '../specs/nouns.ts';

export interface CreateMachine {
  /** Ours, made by the controller before the call; every later word about the machine uses it. */
  uuid: string;
  /** Kept by the provider with the machine. */
  operation: string;
  clusterId: string;
  image: string;
  /** Its size; absent: the provider decides. A provider without sizes takes no notice. */
  flavor?: Flavor;
  /** Service template to clone it from; where there is none (any more) an ordinary machine is made. */
  template?: string;
  /** How the machine's agent reaches the registry: a ZooKeeper connect string with chroot. */
  registry: string;
}

/** What machines are to be cloned from with a service already started. */
export interface ServiceTemplate {
  order: WarmOrder;
  image: string;
  flavor?: Flavor;
}

export interface TemplateState {
  /** `waiting`: it is made when more urgent things are done. `failed`: it is tried again later. */
  state: 'ready' | 'making' | 'waiting' | 'failed';
  /** Why it is not ready; empty where it is. */
  reason: string;
}

export type ProviderMachineState = 'building' | 'running' | 'stopped' | 'error' | 'unknown';

/** A part of what a machine's console showed. */
export interface ConsolePart {
  text: string;
  /** What comes after it is asked for with this. */
  cursor: string;
}

/** A machine as its provider sees it. */
export interface ProviderMachine {
  uuid: string;
  providerId: string;
  operation: string;
  image: string;
  state: ProviderMachineState;
  /** What people should know of its state, such as why it is `error`; in words that stay the same while it does. */
  remark?: string;
  /** Where its service will be reachable, once known. */
  address?: string;
  /** ms since the Unix epoch. */
  createdAt: number;
}

export interface ProviderCapabilities {
  /** A machine can be paused and continued. */
  pause: boolean;
  /** A machine's console can be read. */
  console: boolean;
  zones: boolean;
  /** An image can be made of a machine. */
  snapshot: boolean;
  /** All machines share the processors of one host, and making one takes enough of them to slow down the others. */
  sharedHost: boolean;
}

export interface MachineProvider {
  /** Stable name: `process`, `qemu`, `openstack`. */
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  /** What people should know of how it makes machines, by name, e.g. `accelerator: tcg`. */
  readonly facts?: Readonly<Record<string, string>>;
  /**
   * Of the one host whose memory all machines share, and what one without a flavor may take of it, bytes; absent: not known, or
   * not shared. Nothing is refused by it: machines take what they use, at most their size.
   */
  readonly memory?: { host: number; machine: number };
  create(request: CreateMachine, signal?: AbortSignal): Promise<ProviderMachine>;
  /** The machine made by this operation, or null if there is none. */
  find(operation: string, signal?: AbortSignal): Promise<ProviderMachine | null>;
  list(signal?: AbortSignal): Promise<ProviderMachine[]>;
  /** Refuses (PROVIDER_REFUSED) where uuid and providerId don't belong together (P1). */
  destroy(machine: { uuid: string; providerId: string }, signal?: AbortSignal): Promise<void>;
  /** Calls the listener with "look at this machine" hints; returns the unsubscriber. */
  events(listener: (uuid: string) => void): () => void;
  /** Quota and use, where there is such a thing; null where not. */
  limits(signal?: AbortSignal): Promise<{ machines: { limit: number; used: number } } | null>;
  /**
   * Why no machine can be made of an image now, as a sentence; null where it can, or where only a try would tell. Absent: a
   * provider that never knows. Errors as `list`'s.
   */
  whyNoImage?(image: string, signal?: AbortSignal): Promise<string | null>;
  /** Machines that wait, paused, to be created from; absent where there is no such thing. For people. */
  paused?(signal?: AbortSignal): Promise<number>;
  /**
   * Says which service templates there shall be from now on: what is missing is made in the background, one at a time, and only
   * begun where `mayMake`; others go. Gives how each is, by name. Absent: a provider without service templates. Errors as `list`'s.
   */
  keepTemplates?(
    wanted: readonly ServiceTemplate[],
    mayMake: boolean,
    signal?: AbortSignal,
  ): Promise<Record<string, TemplateState>>;
  /**
   * Where `capabilities.console`: what the machine's console showed after the cursor (null: all that is kept), for a while also
   * after its end; null where there is no console of this machine (any more).
   */
  console?(uuid: string, after: string | null, signal?: AbortSignal): Promise<ConsolePart | null>;
  /** Stops watching; machines go on living. */
  close(): Promise<void>;
}
