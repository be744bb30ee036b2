/**
 * Keeps the front door that can be served: what is declared, with the files of this machine that it names. They are looked at
 * again and again; what is broken is refused with its reason, and what was served before stays (P9), also over a restart.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../registrar/clock.ts';
import { type TlsSpec, usualBodyBytes } from '../../specs/front-door.ts';
import { isNetwork } from '../../specs/network.ts';
import type { Environment, Service } from '../../specs/nouns.ts';
import { replaceFile } from '../files.ts';
import type { GatewayPaths } from '../nginx/paths.ts';
import { workerOf } from '../nginx/worker-user.ts';
import { copyTo } from './copies.ts';
import { type FrontDoor, frontDoorSchema, noDoor, type ServiceDoor, type TlsDoor } from './front-door.ts';
import { readKeyPair, UnusableFile } from './key-pair.ts';
import { makeServiceDoor } from './service-door.ts';
import { isTaken } from './taken-port.ts';
import { readUsers } from './users-file.ts';

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
    const { gateway, services } = environment;
    const tls = this.#makeTls(gateway.tls);
    return this.#want({
      tls,
      // 0 would be no limit at all, for nginx.
      bodyBytes: gateway.limits?.bodyBytes || usualBodyBytes,
      securityHeaders: gateway.securityHeaders ?? tls !== null,
      log: gateway.accessLog !== undefined,
      trustedProxies: this.#makeProxies(gateway.trustedProxies ?? []),
      services: services.flatMap((service) => this.#makeService(service) ?? []),
    });
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
  alarm(mode: 'plain' | 'dynamic'): string {
    const { tls } = this.#kept;
    const left = tls === null ? Number.POSITIVE_INFINITY : tls.notAfter - this.#clock.now();
    const days = Math.floor(left / dayMs);
    const expiry =
      left <= 0 ? 'the certificate has expired' : left < soonMs ? `the certificate expires in ${days} days` : '';
    const asksKeys = (door: ServiceDoor) => [door, ...door.operations].some(({ apiKeys }) => apiKeys !== null);
    const shut = mode === 'dynamic' ? [] : this.#kept.services.filter(asksKeys);
    const unchecked =
      shut.length === 0
        ? ''
        : `plain mode can't check API keys, so nobody gets in at ${shut.map(({ service }) => service).join(', ')}`;
    return [this.#problem, unchecked, expiry].filter(Boolean).join('; ');
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
      const copy = (ending: string, content: Buffer) =>
        copyTo(this.#paths.tls, `${pair.digest}.${ending}`, content, null);
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
      this.#complain(`${reasonOf(error)}; ${before ? 'the one before stays' : 'HTTPS is not served'}`);
      return before;
    }
  }

  /** What is no network may have been written by anybody; it is left out alone. */
  #makeProxies(declared: readonly string[]): string[] {
    const sound = declared.filter(isNetwork);
    if (sound.length < declared.length) this.#complain('trusted proxies that are no networks are left out');
    return sound;
  }

  #makeService(service: Service): ServiceDoor | null {
    const made = makeServiceDoor(service, (path) => this.#copyUsers(service, path));
    if (made === null) return null;
    if (made.closed !== '') this.#complain(`${service.name} lets nobody in: ${made.closed}`);
    for (const { method, path, closed } of made.operations)
      if (closed !== '') this.#complain(`${method} ${path} of ${service.name} lets nobody in: ${closed}`);
    return made;
  }

  /** Where the file can't be used, the users of before stay; null where there are none. */
  #copyUsers(service: Service, path: string): string | null {
    try {
      const users = readUsers(path);
      const name = `${createHash('sha256').update(users).digest('hex')}.htpasswd`;
      return copyTo(this.#paths.users, name, users, workerOf(this.#paths.dir));
    } catch (error) {
      const before = this.#usersBefore(service, path);
      this.#complain(`${reasonOf(error)}${before === null ? '' : `; the users before stay at ${service.name}`}`);
      return before;
    }
  }

  /** The copy that is served where this file was declared, by the same service or the same operation of it. */
  #usersBefore({ name, access, operations = [] }: Service, path: string): string | null {
    const before = this.#kept.services.find((one) => one.service === name);
    if (access?.basicFile === path) return before?.usersFile ?? null;
    const declared = operations.find((one) => one.access?.basicFile === path);
    const same = before?.operations.find((one) => one.method === declared?.method && one.path === declared.path);
    return same?.own.access ? same.usersFile : null;
  }

  #complain(reason: string): void {
    this.#problem = [this.#problem, reason].filter(Boolean).join('; ');
    this.#retryAt = this.#clock.monotonic() + retryMs;
  }

  #tidy(): void {
    const { tls, services } = this.#kept;
    const users = services.flatMap((door) => [door, ...door.operations].map(({ usersFile }) => usersFile));
    const used = new Set([tls?.certificate, tls?.key, tls?.clientCa, ...users]);
    for (const directory of [this.#paths.tls, this.#paths.users]) {
      for (const name of listed(directory)) {
        const path = join(directory, name);
        if (!used.has(path)) rmSync(path, { force: true });
      }
    }
  }
}

/** What of an environment the door is made from. */
function partsOf({ gateway, services }: Environment): unknown {
  return [
    [gateway.tls, gateway.limits, gateway.securityHeaders, gateway.accessLog !== undefined, gateway.trustedProxies],
    ...services.map(({ name, access, limits, cors, operations, proxy }) =>
      access || limits || cors || operations ? [name, access, limits, cors, operations, proxy] : 0,
    ),
  ];
}

/** What tells that a file changed. */
function fileStates({ gateway: { tls }, services }: Environment): unknown {
  const users = services.flatMap((one) => [one, ...(one.operations ?? [])].map(({ access }) => access?.basicFile));
  const files = [tls?.certificate, tls?.key, tls?.clientCa, ...users];
  return files.map((path) => {
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false, bigint: true });
    return stat && [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].map(String);
  });
}

function reasonOf(error: unknown): string {
  return error instanceof UnusableFile ? error.message : "the gateway can't keep its copies: is the disk full?";
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
