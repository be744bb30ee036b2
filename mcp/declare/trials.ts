/** Since when versions run side by side as they do, and what had been counted by then: what a report begins from. */

import { paths } from '../../registrar/layout.ts';
import { readDocument, updateDocument } from '../../registrar/recipes/versioned-document.ts';
import type { TrialsRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { codecs } from '../../registrar/store/codecs.ts';
import type { Service } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';

export type Trial = TrialsRecord['trials'][number];

/** Null before the first one. */
export async function readTrials(client: RegistryClient): Promise<TrialsRecord | null> {
  return (await readDocument(client, paths.trials, codecs.trials))?.record ?? null;
}

/** The versions of a service as a trial notes them. */
export function trialVersions(service: Service): Trial['versions'] {
  return runningVersions(service).map(({ version, digest, weight = 0 }) => ({ version, digest, weight }));
}

/** The trial of a service; null where it runs other versions by now, or with other weights. Pure. */
export function currentTrial(found: TrialsRecord | null, service: Service): Trial | null {
  const trial = found?.trials.find((one) => one.service === service.name);
  const now = trialVersions(service);
  const isSame = trial?.versions.every((one) =>
    now.some(({ version, digest, weight }) => {
      return version === one.version && digest === one.digest && weight === one.weight;
    }),
  );
  return trial && isSame && trial.versions.length === now.length ? trial : null;
}

/** Notes a trial. What is noted of services that are not declared any more goes. */
export async function noteTrial(client: RegistryClient, trial: Trial, declared: ReadonlySet<string>): Promise<void> {
  await updateDocument(client, paths.trials, codecs.trials, (found) => {
    const others = found?.trials.filter(({ service }) => service !== trial.service && declared.has(service)) ?? [];
    return { trials: [...others, trial] };
  });
}
