/** What people are told of services' doors: what is asked of callers, never whose keys they are. Pure. */
import type { DoorWord, RuleWords } from '../routes/explain/explain-door.ts';
import type { DoorRules, FrontDoor, ServiceDoor } from './front-door.ts';

const known = new WeakMap<FrontDoor, DoorWord[]>();

/** The same list as long as the door is the same. */
export function doorWords(door: FrontDoor): readonly DoorWord[] {
  const words = known.get(door) ?? door.services.map(wordOf);
  known.set(door, words);
  return words;
}

function wordOf(door: ServiceDoor): DoorWord {
  const { service, cors, operations } = door;
  const origins = cors?.origins ?? null;
  return {
    ...{ service, origins, ...ruleWords(door) },
    operations: operations.map(({ method, path, own, ...rules }) => ({
      ...{ method, path, own, origins },
      ...ruleWords(rules),
    })),
  };
}

function ruleWords({ closed, apiKeys, usersFile, clientCertificate, rate, bodyBytes }: DoorRules): RuleWords {
  return {
    ...{ closed, clientCertificate, rate, bodyBytes },
    apiKeys: apiKeys && { header: apiKeys.header, clients: apiKeys.clients.length },
    users: usersFile !== null,
  };
}
