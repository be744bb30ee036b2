/** The doors of services as nginx's Lua code reads them (nginx/lua/mcp/doors.lua): a file named by what is in it. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FrontDoor, ServiceDoor } from '../front-door/front-door.ts';
import { doorPlace, doorsOf } from './doors.ts';
import { operationName } from './operation-doors.ts';

export interface DoorTable {
  name: string;
  text: string;
}

/** Null where no service has a door and nothing is logged. Pure. */
export function doorTable({ services, log }: FrontDoor): DoorTable | null {
  if (services.length === 0 && !log) return null;
  const text = [...(log ? ['log\n'] : []), ...services.flatMap(linesOf)].join('');
  return { name: createHash('sha256').update(text).digest('hex').slice(0, 32), text };
}

function linesOf(door: ServiceDoor, index: number): string[] {
  const { service, protocol, operations } = door;
  const isStream = protocol === 'http';
  const all = doorsOf(door);
  return [
    [
      'door',
      service,
      doorPlace(service),
      doorPlace(service, isStream),
      operations.length > 0 ? operationName(index) : '-',
    ],
    ...all.flatMap(({ apiKeys, part, keys }) => {
      const variable = apiKeys === null ? '-' : `http_${apiKeys.header.toLowerCase().replaceAll('-', '_')}`;
      const places = new Set([doorPlace(service), doorPlace(service, isStream)]);
      return [...places].map((place) => ['gate', `${place}${part}`, variable, keys]);
    }),
    // Operations without keys of their own have their service's.
    ...all
      .filter(({ part, keys }) => keys === `${service}${part}`)
      .flatMap(({ apiKeys, keys }) => (apiKeys?.clients ?? []).map(({ name, sha256 }) => ['key', keys, name, sha256])),
  ].map((fields) => `${fields.join('\t')}\n`);
}

/** Only nginx's master reads it, when it reads its configuration. Throws where the disk is full. */
export function writeDoorTable(directory: string, table: DoorTable | null): void {
  if (table === null) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  writeFileSync(join(directory, table.name), table.text, { mode: 0o600 });
}

/** Removes those that no configuration names any more. */
export function tidyDoorTables(directory: string, table: DoorTable | null): void {
  let names: string[] = [];
  try {
    names = readdirSync(directory);
  } catch {}
  for (const name of names) if (name !== table?.name) rmSync(join(directory, name), { force: true });
}
