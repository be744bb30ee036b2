/** `host:port,host:port/chroot`, as every ZooKeeper client takes it. Pure. */
import { registryError } from './errors.ts';
import { checkPath } from './paths.ts';

export interface Server {
  host: string;
  port: number;
}

export interface ConnectString {
  servers: Server[];
  /** Empty for none. */
  chroot: string;
}

const defaultPort = 2181;

/** Throws REGISTRY_BAD_ARGUMENTS with what is wrong. IPv6 addresses stand in brackets. */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf('/');
  const list = slash === -1 ? text : text.slice(0, slash);
  const chroot = slash === -1 ? '' : text.slice(slash).trim();
  if (chroot !== '' && chroot !== '/') checkPath(chroot);
  const servers = list.split(',').map((part) => parseServer(part.trim(), text));
  const unique = new Map(servers.map((server) => [`${server.host} ${server.port}`, server]));
  return { servers: [...unique.values()], chroot: chroot === '/' ? '' : chroot };
}

function parseServer(part: string, whole: string): Server {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/@?#]+))(?::(\d{1,5}))?$/.exec(part);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw registryError(
      'REGISTRY_BAD_ARGUMENTS',
      `${JSON.stringify(part)} in the connect string ${JSON.stringify(whole)}`,
      {
        hint: 'Write it as host:port,host:port/chroot, IPv6 addresses in brackets.',
      },
    );
  }
  return { host, port };
}
