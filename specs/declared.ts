/** An environment as its file declares it: defaults filled in, artifacts not yet content-addressed. Plain JSON. */
import type { Environment, ImageSpec, Service, Version } from './nouns.ts';
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

/** Paths are relative to the directory of the environment file. */
export type DeclaredImageStep = { title: string; timeoutMs: number } & (
  | { kind: 'run'; script: string }
  | { kind: 'puppet'; manifest: string; at: Place }
  | { kind: 'copy'; from: string; to: string; at: Place }
);

export interface DeclaredImage extends Omit<ImageSpec, 'steps' | 'digest'> {
  steps: DeclaredImageStep[];
}

/** Its images are named by the name alone. */
export interface DeclaredEnvironment extends Omit<Environment, 'services' | 'images'> {
  images: DeclaredImage[];
  services: DeclaredService[];
}
