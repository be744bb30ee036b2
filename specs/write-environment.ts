/** A resolved environment as the file that declares it: what parseEnvironment and resolveEnvironment make of it is the same again. Pure. */
import { stringify } from 'yaml';
import { choiceEntries } from './choice-shape.ts';
import { formatDuration } from './duration.ts';
import { McpError } from './errors.ts';
import { nameOfImage } from './image-reference.ts';
import type {
  Artifact,
  Environment,
  Flavor,
  ForeignRegistry,
  HealthCheck,
  ImageSpec,
  ImageStep,
  PoolSpec,
  ProxySpec,
  RolloutSettings,
  Service,
  VerifyLimits,
  Version,
  WarmSpec,
} from './nouns.ts';
import { writeSize } from './size.ts';
import { frontDoorOf, serviceDoorOf } from './write-front-door.ts';

type Entries = [string, unknown][];

/**
 * The text of an environment file. Artifacts are written with their sha256; those of this machine as files at their whole
 * paths. EXPORT_IMAGE where a declared image copies files.
 */
export function writeEnvironment(environment: Environment): string {
  const { name, pool, gateway, images = [], services } = environment;
  const file = map([
    ['environment', name],
    ['pool', poolOf(pool)],
    [
      'gateway',
      map([
        ['title', gateway.title],
        ['description', gateway.description],
        ['largest-document', gateway.largestDocumentBytes && writeSize(gateway.largestDocumentBytes)],
        ['mode', gateway.mode],
        ['registries', gateway.registries?.map(registryOf)],
        ...frontDoorOf(gateway),
      ]),
    ],
    ['images', images.length > 0 ? map(images.map((image) => [image.name, imageOf(image)])) : undefined],
    ['services', map(services.map((service) => [service.name, serviceOf(service)]))],
  ]);
  return stringify(file, { lineWidth: 0, version: '1.2', aliasDuplicateObjects: false });
}

/** Without what is not there; in this order. */
function map(entries: Entries): Map<string, unknown> {
  return new Map(entries.filter(([, value]) => value !== undefined));
}

function poolOf({ size, demand, image, maxAgeMs, verify, flavor }: PoolSpec): Map<string, unknown> {
  const followed = demand && { min: size, max: demand.max, window: formatDuration(demand.windowMs) };
  return map([
    ['size', followed ?? size],
    ['image', nameOfImage(image)],
    ['max-age', maxAgeMs === undefined ? undefined : formatDuration(maxAgeMs)],
    ['verify', verify && verifyOf(verify)],
    ['flavor', flavor && flavorOf(flavor)],
  ]);
}

function verifyOf(limits: Partial<VerifyLimits>): Map<string, unknown> {
  const size = (bytes: number | undefined) => (bytes === undefined ? undefined : writeSize(bytes));
  const duration = (ms: number | undefined) => (ms === undefined ? undefined : formatDuration(ms));
  return map([
    ['disk-free', size(limits.diskFreeBytes)],
    ['disk-speed', size(limits.diskBytesPerSecond)],
    ['memory', size(limits.memoryBytes)],
    ['cpu', duration(limits.cpuMs)],
    ['clock', duration(limits.clockMs)],
    ['registry', duration(limits.registryMs)],
    ['artifact-stores', limits.artifactStores],
  ]);
}

function imageOf({ name, base, packages, steps }: ImageSpec): Map<string, unknown> {
  return map([
    ['base', base],
    ['packages', packages.length > 0 ? packages : undefined],
    ['steps', steps.length > 0 ? steps.map((step) => stepOf(name, step)) : undefined],
  ]);
}

/** What was copied is known by its content only, and that is no file that could be named. */
function stepOf(image: string, step: ImageStep): Map<string, unknown> {
  if (step.kind === 'copy') {
    throw new McpError(
      'EXPORT_IMAGE',
      `image ${image} copies files (${step.title}), of which only the contents are known`,
      {
        hint: 'Keep the file that declares it; mcp diff -f FILE shows what else has changed.',
      },
    );
  }
  return map([
    [step.kind, step.kind === 'run' ? step.script : fileOf(step.manifest)],
    ['timeout', formatDuration(step.timeoutMs)],
  ]);
}

function fileOf({ url }: Artifact): string {
  return decodeURIComponent(new URL(url).pathname);
}

function flavorOf({ memoryBytes, cpus, diskBytes }: Flavor): Map<string, unknown> {
  return map([
    ['memory', writeSize(memoryBytes)],
    ['cpus', cpus],
    ['disk', diskBytes === undefined ? undefined : writeSize(diskBytes)],
  ]);
}

function serviceOf(service: Service): Map<string, unknown> {
  const { route, document, config, onConfigChange, configSignal, drainTimeoutMs, stopTimeoutMs, rollout } = service;
  return map([
    ['route', route],
    ['priority', service.priority],
    ['image', service.image === undefined ? undefined : nameOfImage(service.image)],
    ['warm', service.warm && warmOf(service.warm)],
    ['document', document],
    ['config', Object.keys(config).length > 0 ? config : undefined],
    ['on-config-change', onConfigChange === 'signal' ? configSignal : onConfigChange],
    ['drain-timeout', formatDuration(drainTimeoutMs)],
    ['stop-timeout', formatDuration(stopTimeoutMs)],
    ['proxy', service.proxy && proxyOf(service.proxy)],
    ['after', service.after],
    ...serviceDoorOf(service),
    ['rollout', rollout && rolloutOf(rollout)],
    ['versions', map(service.versions.map((version) => [version.version, versionOf(version)]))],
  ]);
}

function warmOf({ ready, signal }: WarmSpec): unknown {
  return ready === 1 && signal === undefined
    ? true
    : map([
        ['ready', ready],
        ['signal', signal],
      ]);
}

/** Paths are written from the root: a service's place below its registry is all that is known. */
function registryOf({ dialect, connect, graceMs, services }: ForeignRegistry): Map<string, unknown> {
  return map([
    ['dialect', dialect],
    ['path', '/'],
    ['connect', connect],
    ['grace', formatDuration(graceMs)],
    ['services', map(services.map(({ service, path, ...rest }) => [service, { at: path.slice(1), ...rest }]))],
  ]);
}

function proxyOf(proxy: ProxySpec): Map<string, unknown> {
  const duration = (ms: number | undefined) => (ms === undefined ? undefined : formatDuration(ms));
  return map([
    ['protocol', proxy.protocol],
    ['connect-timeout', duration(proxy.connectTimeoutMs)],
    ['send-timeout', duration(proxy.sendTimeoutMs)],
    ['read-timeout', duration(proxy.readTimeoutMs)],
    ['retries', proxy.retries],
    ['retry-budget', proxy.retryBudget],
    ['retry-non-idempotent', proxy.retryNonIdempotent],
    ['mark-down', duration(proxy.markDownMs)],
    ['slow-start', duration(proxy.slowStartMs)],
    ...choiceEntries(proxy),
  ]);
}

function versionOf({ count, weight, artifact, command, port, env, health }: Version): Map<string, unknown> {
  return map([
    ['count', count],
    ['weight', weight],
    ['artifact', artifact && artifactOf(artifact)],
    ['command', command],
    ['port', port],
    ['env', Object.keys(env).length > 0 ? env : undefined],
    ['health', health.kind === 'none' ? 'none' : healthOf(health)],
  ]);
}

function artifactOf({ url, sha256 }: Artifact): Map<string, unknown> {
  const isFile = url.startsWith('file:');
  return map([
    [isFile ? 'file' : 'url', isFile ? fileOf({ url, sha256 }) : url],
    ['sha256', sha256],
  ]);
}

function healthOf({ kind, path, command, intervalMs, timeoutMs, rise, fall }: HealthCheck): Map<string, unknown> {
  return map([
    ['http', kind === 'http' ? path : undefined],
    ['tcp', kind === 'tcp' ? true : undefined],
    ['command', kind === 'command' ? command : undefined],
    ['interval', formatDuration(intervalMs)],
    ['timeout', formatDuration(timeoutMs)],
    ['rise', rise],
    ['fall', fall],
  ]);
}

function rolloutOf(rollout: Partial<RolloutSettings>): Map<string, unknown> {
  const { analysis, pauses } = rollout;
  const duration = (ms: number | undefined) => (ms === undefined ? undefined : formatDuration(ms));
  return map([
    ['surge', rollout.surge],
    ['unavailable', rollout.unavailable],
    ['batch', rollout.batch],
    ['canary', rollout.canary],
    ['min-healthy', duration(rollout.minHealthyMs)],
    ['healthy-deadline', duration(rollout.healthyDeadlineMs)],
    ['progress-deadline', duration(rollout.progressDeadlineMs)],
    ['bake', duration(rollout.bakeMs)],
    ['pauses', pauses?.map(({ at, forMs }) => ({ at, for: forMs === null ? 'promote' : formatDuration(forMs) }))],
    ['undo', duration(rollout.undoMs)],
    ['max-failures', rollout.maxFailures],
    ['auto-rollback', rollout.autoRollback],
    [
      'analysis',
      analysis === undefined
        ? undefined
        : analysis === null
          ? 'none'
          : map([
              ['min-requests', analysis.minRequests],
              ['error-tolerance', percent(analysis.errorTolerance)],
              ['slow-tolerance', percent(analysis.slowTolerance)],
              ['patience', formatDuration(analysis.patienceMs)],
            ]),
    ],
    ['allow-breaking', rollout.allowBreaking ?? undefined],
  ]);
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100}%`;
}
