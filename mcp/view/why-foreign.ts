/** What `mcp why` says of instances that other software registers: no controller and no machine of ours stands behind them. Pure. */
import type { DesiredRecord, ForeignWord } from '../../registrar/records.ts';
import type { ForeignRegistry, ForeignService } from '../../specs/nouns.ts';
import type { RegistryPart } from './status-view.ts';

/** A link of the walk without its name. */
interface Finding {
  ok: boolean;
  evidence: string[];
  try?: string;
}

type ForeignDeclaration = ForeignService & Pick<ForeignRegistry, 'dialect' | 'connect'>;

/** Where a service is declared to be registered by others. */
export function foreignServices(name: string, desired: DesiredRecord | null): ForeignDeclaration[] {
  return (desired?.environment.gateway.registries ?? []).flatMap(({ dialect, connect, services }) =>
    services.filter(({ service }) => service === name).map((service) => ({ ...service, dialect, connect })),
  );
}

export function foreignDeclaration(
  declared: readonly ForeignDeclaration[],
  { generation, author }: DesiredRecord,
): Finding {
  const evidence = declared.map(({ dialect, connect, path, version, route }) => {
    const where = `${path}${connect === undefined ? '' : ` at ${connect}`}`;
    return `generation ${generation} by ${author} takes ${dialect} registrations of ${where} as ${version}${route === undefined ? '' : ` at ${route}`}`;
  });
  return { ok: true, evidence };
}

/** Broken where no instance gets requests, or something is left out or can't be read. */
export function foreignRegistrations(words: readonly ForeignWord[], registry: RegistryPart): Finding {
  const leftOut = leftOutOf(words, registry);
  if (words.length === 0) return { ok: false, evidence: ['no gateway says anything of it'], try: 'mcp status' };
  const evidence = [...words.flatMap(foreignEvidence), ...leftOut];
  const ok =
    leftOut.length === 0 && words.every(({ problem }) => problem === '') && words.some(({ routed }) => routed > 0);
  if (ok) return { ok, evidence };
  const [first] = words;
  const path = first?.path.slice(first.path.indexOf('/')) ?? '';
  return { ok, evidence, try: `look at what is registered below ${path}, and at its registrants` };
}

export function foreignEvidence({ version, dialect, path, instances, routed, out, problem }: ForeignWord): string[] {
  return [
    `${version}: ${routed} of ${instances} registered by ${dialect} get requests (${path})`,
    ...out.map((one) => `${version}: no requests for ${one}`),
    ...(problem === '' ? [] : [`${version}: ${path} can't be read: ${problem}; what was read before stays`]),
  ];
}

/** Registrations below these services' paths that gateways leave out. */
export function leftOutOf(words: readonly ForeignWord[], { gateways }: RegistryPart): string[] {
  return gateways.flatMap(({ id, rejected }) =>
    rejected
      .filter(({ path }) => words.some((word) => path === word.path || path.startsWith(`${word.path}/`)))
      .map(({ path, reason }) => `left out ${path}: gateway ${id}: ${reason}`),
  );
}
