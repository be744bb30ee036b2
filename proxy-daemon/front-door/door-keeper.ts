/**
 * Keeps the front door that can be served: what is declared, with the files of this machine that it names. They are looked at
 * again and again; what is broken is refused with its reason, and what was served before stays (P9), also over a restart.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../registrar/clock.ts';
import type { TlsSpec } from '../../specs/front-door.ts';
import type { Environment } from '../../specs/nouns.ts';
import { replaceFile } from '../files.ts';
import type { GatewayPaths } from '../nginx/paths.ts';
import { type FrontDoor, frontDoorSchema, noDoor, type TlsDoor } from './front-door.ts';
import { readKeyPair, UnusableFile } from './key-pair.ts';
import { isTaken } from './taken-port.ts';

/** From one look at the files to the next, ms. */
const lookMs = 1000;
/** What was refused may be right later: a port is free again, a certificate begins to be valid. */
const retryMs = 60_000;
const dayMs = 86_400_000;
/** Certificates are renewed with weeks to spare; with less than this nobody renewed it. */
const soonMs = 14 * dayMs;

export class DoorKeeper {
  readonly #paths: GatewayPaths;
  readonly #address: string;
  readonly #clock: Clock;
  /** Served last. */
  #kept: FrontDoor;
  #wanted: FrontDoor;
  /** What `wanted` was made from. */
  #made = '';
  #problem = '';
  #lookAt = 0;
  #retryAt = Number.POSITIVE_INFINITY;
  #environment: Environment | null = null;

  constructor(paths: GatewayPaths, address: string, clock: Clock) {
    this.#paths = paths;
    this.#address = address;
    this.#clock = clock;
    this.#kept = lastDoor(paths);
    this.#wanted = this.#kept;
  }

  /** What is to be served; the same object as long as nothing changes. */
  current(): FrontDoor {
    return this.#wanted;
  }

  /** What is served. */
  kept(): FrontDoor {
    return this.#kept;
  }

  /** Looks at what is declared (null: that is not known, all stays) and at its files. True where another door is to be served. */
  look(environment: Environment | null): boolean {
    const now = this.#clock.monotonic();
    if (environment === null || (environment === this.#environment && now < this.#lookAt)) return false;
    this.#environment = environment;
    this.#lookAt = now + lookMs;
    const isAgain = now >= this.#retryAt;
    const made = JSON.stringify([partsOf(environment), fileStates(environment)]);
    if (made === this.#made && !isAgain) return false;
    this.#made = made;
    this.#problem = '';
    this.#retryAt = Number.POSITIVE_INFINITY;
    return this.#want({ tls: this.#makeTls(environment.gateway.tls) });
  }

  /** This door is served now: it is what stays from now on. */
  served(door: FrontDoor): void {
    if (door === this.#kept) return;
    this.#kept = door;
    // With a full disk the next start has an older door.
    try {
      replaceFile(this.#paths.door, JSON.stringify(door), 0o600);
      this.#tidy();
    } catch {}
  }

  /**
   * nginx did not take this door. What comes from outside is its port and its files, so it is to be served with those before;
   * false where it had those.
   */
  refuse(door: FrontDoor, reason: string): boolean {
    if (JSON.stringify(door.tls) === JSON.stringify(this.#kept.tls)) return false;
    this.#wanted = { ...door, tls: this.#kept.tls };
    this.#complain(`HTTPS as declared is refused: ${reason}`);
    return true;
  }

  /** What is amiss, for people; empty where nothing is. */
  alarm(): string {
    const { tls } = this.#kept;
    const left = tls === null ? Number.POSITIVE_INFINITY : tls.notAfter - this.#clock.now();
    const days = Math.floor(left / dayMs);
    const expiry =
      left <= 0 ? 'the certificate has expired' : left < soonMs ? `the certificate expires in ${days} days` : '';
    return [this.#problem, expiry].filter(Boolean).join('; ');
  }

  #want(door: FrontDoor): boolean {
    if (JSON.stringify(door) === JSON.stringify(this.#wanted)) return false;
    this.#wanted = JSON.stringify(door) === JSON.stringify(this.#kept) ? this.#kept : door;
    return true;
  }

  #makeTls(spec: TlsSpec | undefined): TlsDoor | null {
    if (spec === undefined) return null;
    const before = this.#kept.tls;
    try {
      const pair = readKeyPair(spec, this.#clock.now());
      if (before?.port !== spec.port && isTaken(this.#address, spec.port)) {
        throw new UnusableFile(`port ${spec.port} for HTTPS is taken by something else`);
      }
      const { names, notAfter } = pair;
      const copy = (ending: string, content: Buffer) => this.#copy(`${pair.digest}.${ending}`, content);
      return {
        port: spec.port,
        certificate: copy('crt', pair.certificate),
        key: copy('key', pair.key),
        clientCa: pair.clientCa && copy('ca', pair.clientCa),
        redirect: spec.redirect,
        names,
        notAfter,
      };
    } catch (error) {
      const reason =
        error instanceof UnusableFile ? error.message : "the gateway can't keep its certificate: is the disk full?";
      this.#complain(`${reason}; ${before ? 'the one before stays' : 'HTTPS is not served'}`);
      return before;
    }
  }

  #complain(reason: string): void {
    this.#problem = reason;
    this.#retryAt = this.#clock.monotonic() + retryMs;
  }

  /** A copy that only nginx's master reads: what is served does not depend on what becomes of the original. */
  #copy(name: string, content: Buffer): string {
    const path = join(this.#paths.tls, name);
    mkdirSync(this.#paths.tls, { recursive: true, mode: 0o700 });
    chmodSync(this.#paths.tls, 0o700);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  #tidy(): void {
    const { tls } = this.#kept;
    const used = new Set([tls?.certificate, tls?.key, tls?.clientCa]);
    for (const name of listed(this.#paths.tls)) {
      const path = join(this.#paths.tls, name);
      if (!used.has(path)) rmSync(path, { force: true });
    }
  }
}

/** What of an environment the door is made from. */
function partsOf({ gateway }: Environment): unknown {
  return [gateway.tls];
}

/** What tells that a file changed. */
function fileStates({ gateway: { tls } }: Environment): unknown {
  return [tls?.certificate, tls?.key, tls?.clientCa].map((path) => {
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false, bigint: true });
    return stat && [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].map(String);
  });
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** None where there is none or it can't be read: then what is declared is made anew. */
function lastDoor(paths: GatewayPaths): FrontDoor {
  try {
    return frontDoorSchema.parse(JSON.parse(readFileSync(paths.door, 'utf8')));
  } catch {
    return noDoor;
  }
}
