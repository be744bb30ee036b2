/** Where the gateway keeps its files: everything under one state directory. */
import { join } from 'node:path';

/** Stands for a generation's number in a configuration before it has one. No name from outside can hold an `@`. */
export const generationMark = '@generation@';

export interface GatewayPaths {
  dir: string;
  /** What nginx reads; replaced only by rename. */
  config: string;
  /** The next one, while it is tested. */
  candidate: string;
  pid: string;
  errorLog: string;
  accessLog: string;
  temp: string;
  /** Pages and the status document. */
  www: string;
  statusJson: string;
  /**
   * The documents served, at fixed places: the merged one as whole files in the folder `current` or as lists in the file `lists`, whose
   * pieces are in `pieces`; one folder a service in `services`.
   */
  documents: { all: string; current: string; lists: string; pieces: string; services: string };
  generations: string;
  /** What the daemon remembers over a restart. */
  memory: string;
  /** The front door served last, and the copies of its certificate and key. */
  door: string;
  tls: string;
  /** Copies of htpasswd files, and tables of doors for nginx's Lua code. */
  users: string;
  doors: string;
  /** Dynamic mode: nginx's Lua code, and the route tables that it starts with. */
  lua: string;
  tables: string;
  /** Figures by version, as the pages and the controller read them. */
  trafficJson: string;
  /** Requests a second of the last minutes, and the page as it is first seen. */
  ratesJson: string;
  statusPage: string;
  generation(generation: number | typeof generationMark): GenerationPaths;
}

/** Files that change with a generation: written under its own directory, switched by the configuration that names them. */
interface GenerationPaths {
  dir: string;
  /** Body of the 404 answer: the routes there are. */
  notFound: string;
}

/** `dir` should be absolute: nginx resolves others against its own prefix. */
export function gatewayPaths(dir: string): GatewayPaths {
  const generations = join(dir, 'generations');
  const documents = join(dir, 'www', 'documents');
  return {
    dir,
    config: join(dir, 'nginx.conf'),
    candidate: join(dir, 'nginx.conf.candidate'),
    pid: join(dir, 'nginx.pid'),
    errorLog: join(dir, 'logs', 'error.log'),
    accessLog: join(dir, 'logs', 'access.log'),
    temp: join(dir, 'temp'),
    www: join(dir, 'www'),
    statusJson: join(dir, 'www', 'status.json'),
    documents: {
      all: documents,
      current: join(documents, 'current'),
      lists: join(documents, 'lists'),
      pieces: join(documents, 'pieces'),
      services: join(documents, 'services'),
    },
    generations,
    memory: join(dir, 'last-good.json'),
    door: join(dir, 'door.json'),
    tls: join(dir, 'tls'),
    users: join(dir, 'users'),
    doors: join(dir, 'doors'),
    lua: join(dir, 'lua'),
    tables: join(dir, 'tables'),
    trafficJson: join(dir, 'www', 'status', 'traffic.json'),
    ratesJson: join(dir, 'www', 'status', 'rates.json'),
    statusPage: join(dir, 'www', 'status', 'index.html'),
    generation: (generation) => {
      const own = join(generations, String(generation));
      return {
        dir: own,
        notFound: join(own, 'not-found.json'),
      };
    },
  };
}
