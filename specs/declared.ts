/** An environment as its file declares it: defaults filled in, artifacts not yet content-addressed. Plain JSON. */
import type { Environment, Service, Version } from './nouns.ts';
import type { Place } from './problems.ts';

/** Where a version's artifact comes from. Paths are relative to the directory of the environment file. */
export type DeclaredArtifact =
  | { kind: 'directory'; path: string; at: Place }
  | { kind: 'file'; path: string; sha256: string; at: Place }
  | { kind: 'url'; url: string; sha256: string; at: Place };

export interface DeclaredVersion extends Omit<Version, 'artifact' | 'digest'> {
  artifact?: DeclaredArtifact;
}

export interface DeclaredService extends Omit<Service, 'versions'> {
  versions: DeclaredVersion[];
}

export interface DeclaredEnvironment extends Omit<Environment, 'services'> {
  services: DeclaredService[];
}
