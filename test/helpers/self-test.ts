/** What an agent tells of a machine that does well; `changes` are other figures, null for one that could not be found out. */
import type { SelfTestRecord } from '../../registrar/records.ts';

export function selfTest(changes: Record<string, number | null> = {}): SelfTestRecord {
  const figures = [
    { name: 'disk-free', unit: 'B', value: 2 ** 30 },
    { name: 'disk-speed', unit: 'B/s', value: 2 ** 27 },
    { name: 'disk-content', unit: 'faults', value: 0 },
    { name: 'memory', unit: 'B', value: 2 ** 28 },
    { name: 'memory-content', unit: 'faults', value: 0 },
    { name: 'cpu', unit: 'ms', value: 12 },
    { name: 'registry', unit: 'ms', value: 3 },
    { name: 'clock', unit: 'ms', value: 0 },
  ];
  const told = figures.map((figure) => ({
    ...figure,
    value: figure.name in changes ? (changes[figure.name] ?? null) : figure.value,
  }));
  return { at: 1000, tookMs: 40, figures: told };
}
