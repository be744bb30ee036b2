/** Holds the documents of versions that are about to get traffic against that of the one that has most of it. */
import { DocumentThread } from '../../proxy-daemon/document/document-thread.ts';
import { defaultLimits } from '../../proxy-daemon/document/fetch-document.ts';
import type { RolloutGate } from '../../registrar/rollout-records.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import type { RegistryPart } from '../view/status-view.ts';
import { compareRelease } from './compare-release.ts';
import { instanceOf } from './spec-gate.ts';

export interface ComparedVersion {
  version: string;
  gate: RolloutGate;
}

/** `present`: the versions with traffic. A version of which no instance serves is left out. Errors: the signal's reason. */
export async function compareEntering(
  registry: Pick<RegistryPart, 'registrations' | 'declared'>,
  { name, route }: Pick<Service, 'name' | 'route'>,
  present: readonly Version[],
  entering: readonly Version[],
  signal: AbortSignal,
): Promise<ComparedVersion[]> {
  const thread = new DocumentThread();
  const { largestDocumentBytes: maxBytes = defaultLimits.maxBytes } =
    registry.declared?.record.environment.gateway ?? {};
  const share = ({ weight, count }: Version) => weight ?? count;
  const live = instanceOf(
    registry,
    name,
    [...present].sort((a, b) => share(b) - share(a)),
  );
  try {
    const compared: ComparedVersion[] = [];
    for (const version of entering) {
      const next = instanceOf(registry, name, [version]);
      if (!next) continue;
      const release = { route, live, next, limits: { ...defaultLimits, maxBytes } };
      const gate = await compareRelease(release, { clock: systemClock, thread, signal });
      compared.push({ version: version.version, gate });
    }
    return compared;
  } finally {
    await thread.close();
  }
}
