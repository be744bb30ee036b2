/** /config/<service> follows the declared configuration. */
import type { ConfigValue } from '../../specs/nouns.ts';
import type { Draft } from './draft.ts';

export function followConfiguration(draft: Draft): void {
  for (const service of draft.world.services.values()) {
    const found = draft.snapshot.configs[service.name];
    const kept = found?.record?.values;
    if (kept && sameValues(kept, service.config)) continue;
    const missing = found ? 'what the registry holds of it is damaged' : 'its configuration is not in the registry yet';
    const reason = kept ? 'the declared configuration changed' : missing;
    draft.actions.push({ kind: 'configure', service: service.name, reason });
  }
}

function sameValues(a: Record<string, ConfigValue>, b: Record<string, ConfigValue>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
