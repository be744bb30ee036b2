/** Verification before the pool: a machine's self-test held against what is declared. */
import type { SelfTestFigure, SelfTestRecord, VerificationRecord } from '../../registrar/records.ts';
import type { VerifyLimits } from '../../specs/nouns.ts';
import { formatSize } from '../../specs/size.ts';

/** Loose enough for an emulated machine on a busy host: they are to find what is broken, not what is slow. */
const defaultVerify: VerifyLimits = {
  diskFreeBytes: 8 * 1024 ** 2,
  diskBytesPerSecond: 64 * 1024,
  memoryBytes: 16 * 1024 ** 2,
  cpuMs: 30_000,
  clockMs: 30_000,
  registryMs: 10_000,
  artifactStores: 1,
};

/** Figures that every machine can find out: one that lacks them was not tested. */
const required = ['disk-content', 'memory', 'memory-content', 'cpu', 'registry', 'clock'];

type Check = VerificationRecord['checks'][number];

/** Pure. `limits` is what the environment declares of them. A figure of a name that is not known passes. */
export function judgeSelfTest(test: SelfTestRecord, limits: Partial<VerifyLimits> = {}): VerificationRecord {
  const all = { ...defaultVerify, ...limits };
  const missing = required
    .filter((name) => !test.figures.some((figure) => figure.name === name))
    .map((name): SelfTestFigure => ({ name, value: null, unit: '', note: 'not measured' }));
  const checks = [...test.figures, ...missing].map((figure) => judge(figure, all));
  return { at: test.at, tookMs: test.tookMs, passed: checks.every(({ passed }) => passed), checks };
}

/** Each failed check in a few words; empty where all passed. */
export function failedChecks(verification: VerificationRecord): string {
  return verification.checks
    .filter(({ passed }) => !passed)
    .map(({ name, value, unit, threshold, note }) =>
      value === null
        ? `${name}: ${note ?? 'not measured'}`
        : `${name} is ${shown(value, unit)}, not ${threshold === null ? 'that' : shown(threshold, unit)}`,
    )
    .join('; ');
}

/** A figure of a self-test for people. */
export function shown(value: number, unit: string): string {
  if (unit === 'B') return formatSize(value);
  return unit === 'B/s' ? `${formatSize(value)}/s` : `${value} ${unit}`;
}

function judge(figure: SelfTestFigure, limits: VerifyLimits): Check {
  const { name, value } = figure;
  const atLeast = (threshold: number): Check => ({
    ...figure,
    threshold,
    passed: value !== null && value >= threshold,
  });
  const atMost = (threshold: number): Check => ({ ...figure, threshold, passed: value !== null && value <= threshold });
  switch (name) {
    case 'disk-free':
      return atLeast(limits.diskFreeBytes);
    case 'disk-speed':
      return atLeast(limits.diskBytesPerSecond);
    case 'memory':
      return atLeast(limits.memoryBytes);
    case 'disk-content':
    case 'memory-content':
      return atMost(0);
    case 'cpu':
      return atMost(limits.cpuMs);
    case 'clock':
      return atMost(limits.clockMs);
    case 'registry':
      return atMost(limits.registryMs);
    case 'artifact-stores':
      return atLeast(Math.min(limits.artifactStores, figure.of ?? 0));
    default:
      return { ...figure, threshold: null, passed: true };
  }
}
