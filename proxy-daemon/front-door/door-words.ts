/** What people are told of services' doors: what is asked of callers, never whose keys they are. Pure. */
import type { DoorWord } from '../routes/explain/explain-door.ts';
import type { FrontDoor } from './front-door.ts';

const known = new WeakMap<FrontDoor, DoorWord[]>();

/** The same list as long as the door is the same. */
export function doorWords(door: FrontDoor): readonly DoorWord[] {
  const words = known.get(door) ?? door.services.map(wordOf);
  known.set(door, words);
  return words;
}

function wordOf(door: FrontDoor['services'][number]): DoorWord {
  const { service, closed, apiKeys, usersFile, clientCertificate, rate, bodyBytes, cors } = door;
  return {
    ...{ service, closed, clientCertificate, rate, bodyBytes },
    apiKeys: apiKeys && { header: apiKeys.header, clients: apiKeys.clients.length },
    users: usersFile !== null,
    origins: cors?.origins ?? null,
  };
}
