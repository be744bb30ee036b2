/** An environment file's bytes to a declared environment: pure, whole or refused with every problem found. */
import { declareChoice } from './choice-shape.ts';
import { declareFrontDoor, declareServiceDoor } from './declare-front-door.ts';
import { declareRegistries } from './declare-registries.ts';
import type {
  DeclaredArtifact,
  DeclaredEnvironment,
  DeclaredImage,
  DeclaredService,
  DeclaredVersion,
} from './declared.ts';
import { decodeText } from './decode.ts';
import { parseDuration } from './duration.ts';
import { brokenImages, brokenRules, routeOf } from './environment-rules.ts';
import {
  type ArtifactShape,
  type EnvironmentShape,
  environmentSchema,
  type FlavorShape,
  type HealthShape,
  type ImageShape,
  isAlwaysText,
  type ProxyShape,
  type ServiceShape,
  type VerifyShape,
  type VersionShape,
  type WarmShape,
} from './environment-schema.ts';
import { smallFlavor } from './flavor.ts';
import type { Flavor, HealthCheck, PoolSpec, ProxySpec, VerifyLimits, WarmSpec } from './nouns.ts';
import { type Place, printable, sourceText, specInvalid } from './problems.ts';
import { declareRollout } from './rollout-shape.ts';
import { flawedServices, shapeProblems } from './shape-problems.ts';
import { parseSize } from './size.ts';
import { readYaml, type YamlTree } from './yaml-tree.ts';

export interface ParseOptions {
  /** Name for messages: as the user gave it. */
  file: string;
  /** Accepts `services: {}` and `versions: {}`. A file without content is refused all the same: it names no environment. */
  allowEmpty?: boolean;
}

/**
 * Reads an environment file. Throws SPEC_INVALID with `details.problems` (see renderProblems), several at once.
 * Nothing is read but the bytes: artifacts stay as declared, resolveEnvironment takes it from there.
 */
export function parseEnvironment(bytes: Uint8Array, options: ParseOptions): DeclaredEnvironment {
  const decoded = decodeText(options.file, bytes);
  if ('problem' in decoded) throw specInvalid([decoded.problem]);
  const tree = readYaml(sourceText(options.file, decoded.text), isAlwaysText);
  if (!tree.complete) throw specInvalid(tree.problems);
  if (tree.value === undefined || tree.value === null) {
    const message = 'the file is empty: to stop everything, declare "services: {}" and say --allow-empty';
    throw specInvalid([...tree.problems, { ...tree.valueAt([]), message }]);
  }
  const { shape, issues } = checkShape(tree.value);
  const rules = [
    ...brokenRules(shape, { allowEmpty: (options.allowEmpty ?? false) || issues.length > 0 }),
    ...(issues.length > 0 ? [] : brokenImages(shape)),
  ];
  const known = new Set(tree.problems.map(({ line, column }) => `${line}:${column}`));
  const problems = [
    ...tree.problems,
    // What was refused as YAML is missing as a value: no second complaint about it.
    ...shapeProblems(tree, environmentSchema, issues).filter(({ line, column }) => !known.has(`${line}:${column}`)),
    ...rules.map(({ path, on, message }) => ({ ...(on === 'key' ? tree.keyAt(path) : tree.valueAt(path)), message })),
  ];
  if (problems.length > 0) throw specInvalid(problems);
  return declare(shape, tree);
}

/** The shape, or all issues together with the services that have none, so that rules can be checked at least on those. */
function checkShape(value: unknown) {
  const result = environmentSchema.safeParse(value);
  if (result.success) return { shape: result.data, issues: [] };
  const { issues } = result.error;
  const { services } = value as { services?: unknown };
  const flawed = flawedServices(issues);
  const isMapOfServices = typeof services === 'object' && services !== null && !Array.isArray(services);
  const sound = Object.entries(isMapOfServices ? services : {}).filter(([name]) => !flawed.has(name));
  return { shape: { environment: '', services: Object.fromEntries(sound) } as EnvironmentShape, issues };
}

function declare(shape: EnvironmentShape, tree: YamlTree): DeclaredEnvironment {
  const registries = declareRegistries(shape);
  const largest = shape.gateway?.['largest-document'];
  const largestDocumentBytes = largest === undefined ? undefined : parseSize(largest);
  return {
    name: shape.environment,
    pool: declarePool(shape.pool ?? {}),
    gateway: {
      title: shape.gateway?.title ?? shape.environment,
      description: shape.gateway?.description ?? '',
      ...(registries && { registries }),
      ...(shape.gateway?.mode === undefined ? {} : { mode: shape.gateway.mode }),
      ...(largestDocumentBytes === undefined ? {} : { largestDocumentBytes }),
      ...declareFrontDoor(shape.gateway),
    },
    images: Object.entries(shape.images ?? {}).map(([name, image]) => declareImage(name, image, tree)),
    services: Object.entries(shape.services).map(([name, service]) => declareService(name, service, tree)),
  };
}

const stepTimeoutMs = 600_000;

function declareImage(name: string, image: ImageShape, tree: YamlTree): DeclaredImage {
  return {
    name,
    base: image.base ?? 'debian',
    packages: [...new Set(image.packages)].sort(),
    steps: (image.steps ?? []).map(({ run, puppet, copy, timeout }, at) => {
      const timeoutMs = ms(timeout, stepTimeoutMs);
      const placeOf = (...key: string[]) => tree.valueAt(['images', name, 'steps', at, ...key]);
      const titled = (title: string) => ({ title: printable(title).slice(0, 60), timeoutMs });
      if (run !== undefined) return { kind: 'run', ...titled(`run ${run.trim().split('\n')[0]}`), script: run };
      if (puppet !== undefined)
        return { kind: 'puppet', ...titled(`puppet ${puppet}`), manifest: puppet, at: placeOf('puppet') };
      const { from = '', to = '' } = copy ?? {};
      return { kind: 'copy', ...titled(`copy ${from} to ${to}`), from, to, at: placeOf('copy', 'from') };
    }),
  };
}

function declarePool(shape: NonNullable<EnvironmentShape['pool']>): PoolSpec {
  const { size = 1, image = 'process', verify } = shape;
  const maxAge = shape['max-age'];
  const isFixed = typeof size === 'number';
  return {
    size: isFixed ? size : size.min,
    image,
    ...(isFixed ? {} : { demand: { max: size.max, windowMs: ms(size.window, 600_000) } }),
    ...(maxAge === undefined ? {} : { maxAgeMs: ms(maxAge, 0) }),
    ...(verify === undefined ? {} : { verify: declareVerify(verify) }),
    ...(shape.flavor === undefined ? {} : { flavor: declareFlavor(shape.flavor) }),
  };
}

function declareVerify(shape: VerifyShape): Partial<VerifyLimits> {
  const bytes = (text: string | undefined) => (text === undefined ? undefined : parseSize(text));
  const time = (text: string | undefined) => (text === undefined ? undefined : parseDuration(text));
  const limits = {
    diskFreeBytes: bytes(shape['disk-free']),
    diskBytesPerSecond: bytes(shape['disk-speed']),
    memoryBytes: bytes(shape.memory),
    cpuMs: time(shape.cpu),
    clockMs: time(shape.clock),
    registryMs: time(shape.registry),
    artifactStores: shape['artifact-stores'],
  };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

function declareFlavor({ memory, cpus, disk }: FlavorShape): Flavor {
  const diskBytes = disk === undefined ? undefined : parseSize(disk);
  return {
    memoryBytes: (memory === undefined ? undefined : parseSize(memory)) ?? smallFlavor.memoryBytes,
    cpus: cpus ?? smallFlavor.cpus,
    ...(diskBytes === undefined ? {} : { diskBytes }),
  };
}

function declareService(name: string, service: ServiceShape, tree: YamlTree): DeclaredService {
  const onChange = service['on-config-change'] ?? 'restart';
  return {
    name,
    route: routeOf(name, service),
    ...(service.priority === undefined ? {} : { priority: service.priority }),
    ...(service.document === undefined ? {} : { document: service.document }),
    config: { ...service.config },
    ...(onChange === 'restart' || onChange === 'none'
      ? { onConfigChange: onChange }
      : { onConfigChange: 'signal' as const, configSignal: onChange }),
    drainTimeoutMs: ms(service['drain-timeout'], 30_000),
    stopTimeoutMs: ms(service['stop-timeout'], 5000),
    ...(service.proxy === undefined ? {} : { proxy: declareProxy(service.proxy) }),
    ...(service.after === undefined ? {} : { after: [...service.after] }),
    ...declareServiceDoor(service),
    ...(service.rollout === undefined ? {} : { rollout: declareRollout(service.rollout) }),
    ...(service.image === undefined ? {} : { image: service.image }),
    ...declareWarm(service.warm),
    versions: Object.entries(service.versions).map(([version, declared]) =>
      declareVersion(version, declared, service, tree.valueAt(['services', name, 'versions', version, 'artifact'])),
    ),
  };
}

function declareWarm(shape: WarmShape | undefined): { warm?: WarmSpec } {
  if (shape === undefined || shape === false) return {};
  const { ready = 1, signal } = shape === true ? {} : shape;
  return { warm: { ready, ...(signal === undefined ? {} : { signal }) } };
}

/** Only what is declared: the gateway knows the defaults. */
function declareProxy(proxy: ProxyShape): ProxySpec {
  const all = {
    protocol: proxy.protocol,
    connectTimeoutMs: msOf(proxy['connect-timeout']),
    sendTimeoutMs: msOf(proxy['send-timeout']),
    readTimeoutMs: msOf(proxy['read-timeout']),
    retries: proxy.retries,
    retryBudget: proxy['retry-budget'],
    retryNonIdempotent: proxy['retry-non-idempotent'],
    markDownMs: msOf(proxy['mark-down']),
    slowStartMs: msOf(proxy['slow-start']),
    ...declareChoice(proxy),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function declareVersion(
  version: string,
  declared: VersionShape,
  service: ServiceShape,
  artifactAt: Place,
): DeclaredVersion {
  return {
    version,
    count: declared.count,
    ...(declared.weight === undefined ? {} : { weight: declared.weight }),
    ...(declared.artifact === undefined ? {} : { artifact: declareArtifact(declared.artifact, artifactAt) }),
    // The rules have made sure that one of the two is there.
    command: declared.command ?? service.command ?? [],
    port: declared.port ?? service.port ?? 0,
    env: { ...service.env, ...declared.env },
    health: declareHealth(declared.health ?? service.health ?? {}),
  };
}

function declareArtifact(artifact: ArtifactShape, at: Place): DeclaredArtifact {
  const { directory, file, url, sha256 = '' } = artifact;
  if (directory !== undefined) return { kind: 'directory', path: directory, at };
  return file !== undefined ? { kind: 'file', path: file, sha256, at } : { kind: 'url', url: url ?? '', sha256, at };
}

function declareHealth(health: HealthShape): HealthCheck {
  const declared = health === 'none' ? {} : health;
  const common = {
    intervalMs: ms(declared.interval, 1000),
    timeoutMs: ms(declared.timeout, 500),
    rise: declared.rise ?? 1,
    fall: declared.fall ?? 3,
  };
  if (health === 'none') return { kind: 'none', ...common };
  if (declared.http !== undefined) return { kind: 'http', path: declared.http, ...common };
  return declared.command === undefined
    ? { kind: 'tcp', ...common }
    : { kind: 'command', command: declared.command, ...common };
}

function ms(duration: string | undefined, fallback: number): number {
  return msOf(duration) ?? fallback;
}

function msOf(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration);
}
