/** A declared environment to the resolved one, given what its artifacts turned out to be. Pure. */
import { canonicalJson } from './canonical-json.ts';
import type { DeclaredArtifact, DeclaredEnvironment, DeclaredService, DeclaredVersion } from './declared.ts';
import { versionDigest } from './digest.ts';
import { McpError } from './errors.ts';
import { imageReference } from './image-reference.ts';
import type { Artifact, Environment, ImageSpec, Service, Version } from './nouns.ts';

/** Largest resolved environment, in bytes of JSON: ZooKeeper's nodes hold 1 MB, and the record around it needs some. */
const largestEnvironment = 1_000_000;

/** Under what a declared artifact's resolution is found: equal keys are the same artifact. */
export function artifactKey(artifact: DeclaredArtifact): string {
  return artifact.kind === 'url' ? `url:${artifact.url}` : `${artifact.kind}:${artifact.path}`;
}

/**
 * The artifacts somebody must resolve before resolveEnvironment: directories to pack, files to find and check against
 * their sha256. Each once, by its key; `at` is where a problem with it should be reported. URLs resolve by themselves.
 */
export function localArtifacts(declared: DeclaredEnvironment): Map<string, Exclude<DeclaredArtifact, { kind: 'url' }>> {
  const found = new Map<string, Exclude<DeclaredArtifact, { kind: 'url' }>>();
  for (const { artifact } of declared.services.flatMap((service) => service.versions)) {
    if (artifact && artifact.kind !== 'url' && !found.has(artifactKey(artifact)))
      found.set(artifactKey(artifact), artifact);
  }
  return found;
}

/**
 * Fills in artifacts, images' references and digests. `artifacts` has one entry for each of `localArtifacts`, `images` one
 * for each declared.
 * Throws SPEC_ARTIFACT_UNRESOLVED where one is not there, SPEC_TOO_LARGE where the whole is more than the registry holds.
 */
export function resolveEnvironment(
  declared: DeclaredEnvironment,
  artifacts: ReadonlyMap<string, Artifact>,
  images: readonly ImageSpec[] = [],
): Environment {
  const { name, gateway } = declared;
  const references = new Map(images.map((image) => [image.name, imageReference(image)]));
  const referenceOf = (image: string) => references.get(image) ?? image;
  const pool = { ...declared.pool, image: referenceOf(declared.pool.image) };
  const services = declared.services.map(({ image, ...service }) =>
    resolveService({ ...service, ...(image === undefined ? {} : { image: referenceOf(image) }) }, artifacts),
  );
  const environment = { name, pool, gateway, ...(images.length > 0 ? { images: [...images] } : {}), services };
  const bytes = new TextEncoder().encode(canonicalJson(environment)).length;
  if (bytes > largestEnvironment) {
    throw new McpError(
      'SPEC_TOO_LARGE',
      `the environment takes ${bytes} bytes; the registry holds ${largestEnvironment}`,
      {
        hint: 'Shorten its configuration and variables, or split it into two environments.',
        details: { bytes, largest: largestEnvironment },
      },
    );
  }
  return environment;
}

function resolveService(declared: DeclaredService, artifacts: ReadonlyMap<string, Artifact>): Service {
  return { ...declared, versions: declared.versions.map((version) => resolveVersion(version, declared, artifacts)) };
}

function resolveVersion(
  declared: DeclaredVersion,
  service: DeclaredService,
  artifacts: ReadonlyMap<string, Artifact>,
): Version {
  const { artifact, ...rest } = declared;
  const resolved = artifact === undefined ? rest : { ...rest, artifact: resolveArtifact(artifact, artifacts) };
  return { ...resolved, digest: versionDigest(resolved, service) };
}

function resolveArtifact(declared: DeclaredArtifact, artifacts: ReadonlyMap<string, Artifact>): Artifact {
  if (declared.kind === 'url') return { url: declared.url, sha256: declared.sha256 };
  const artifact = artifacts.get(artifactKey(declared));
  if (artifact === undefined || (declared.kind === 'file' && artifact.sha256 !== declared.sha256)) {
    const { file, line, column } = declared.at;
    throw new McpError(
      'SPEC_ARTIFACT_UNRESOLVED',
      `${file}:${line}:${column} artifact ${declared.path} is not there or not what its sha256 says`,
      { hint: 'Check the path (relative to the environment file) and the sha256.', details: { path: declared.path } },
    );
  }
  return artifact;
}
