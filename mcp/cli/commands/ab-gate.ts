/** The spec gate of `mcp ab`: what is new runs without traffic until its document is held against the live one's. */
import { readDeclared } from '../../../registrar/recipes/desired-document.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { McpError } from '../../../specs/errors.ts';
import type { Service } from '../../../specs/nouns.ts';
import { runningVersions } from '../../../specs/running-versions.ts';
import { compareEntering } from '../../control/compare-entering.ts';
import { readWorld } from '../../control/read-status.ts';
import { type Applied, applyEnvironment } from '../../declare/apply-environment.ts';
import { linesOf } from '../../rollout/spec-gate.ts';
import type { Context } from '../context.ts';
import { type DeclareOptions, type declaration, finish } from './declare.ts';

type Words = Awaited<ReturnType<typeof declaration>>;

/** Declares the service in the place of the one of its name. GENERATION_STALE where `generation` is not declared any more. */
export async function declareService(
  client: RegistryClient,
  service: Service,
  words: Words,
  generation: number,
): Promise<Applied> {
  const { record: current } = await readDeclared(client);
  if (!current) throw new Error('declared, and yet not');
  const services = current.environment.services.map((one) => (one.name === service.name ? service : one));
  const environment = { ...current.environment, services };
  return applyEnvironment(client, environment, { ...words, expectGeneration: generation });
}

interface Gated {
  /** As it was, and as it is until the documents are compared. */
  declared: Service;
  before: Service;
  /** Versions that get traffic only after that. */
  gated: readonly string[];
  /** Of `declared`. */
  generation: number;
}

/**
 * Gives the generation from which on it may get traffic, or the exit code where it is not known yet. Errors: REFUSED_BREAKING where
 * it breaks callers and nobody said why it may; then what was declared before is declared again.
 */
export async function passGate(
  context: Context,
  client: RegistryClient,
  { declared, before, gated, generation }: Gated,
  options: DeclareOptions & { allowBreaking?: string },
  words: Words,
): Promise<{ generation: number } | { exitCode: number | undefined }> {
  const { name } = declared;
  const starts = { ...words, reason: `${words.reason}: first without traffic` };
  const applied = await declareService(client, before, starts, generation);
  const isLast = options.wait === false;
  const telling = isLast ? context : { ...context, print: () => {}, printJson: () => {} };
  const exitCode = await finish(telling, client, applied, options, { service: name, present: gated });
  if (isLast) context.note(`${gated.join(' and ')}: no request yet; its document is read when you say the same again.`);
  if (isLast || exitCode !== undefined) return { exitCode };
  const { registry } = await readWorld(client, context.reading());
  const present = runningVersions(declared).filter(({ weight }) => weight !== 0);
  const entrants = before.versions.filter(({ version }) => gated.includes(version));
  const compared = await compareEntering(registry, declared, present, entrants, context.signal);
  for (const { gate } of compared) context.note(`${gate.words.charAt(0).toUpperCase()}${gate.words.slice(1)}.`);
  const breaking = compared.filter(({ gate }) => gate.verdict === 'breaking');
  if (breaking.length === 0) return { generation: applied.generation };
  if (options.allowBreaking !== undefined) {
    context.note(`Allowed: ${options.allowBreaking}`);
    return { generation: applied.generation };
  }
  const back = { ...words, confirmed: true, reason: `${words.reason}: taken back, it breaks callers` };
  await declareService(client, declared, back, applied.generation);
  const findings = breaking.flatMap(({ gate }) => linesOf(gate));
  throw new McpError('REFUSED_BREAKING', breaking.map(({ gate }) => gate.words).join('; '), {
    hint: `${findings.join('\n')}\nIt got no request, and is taken back. If it may: --allow-breaking REASON`,
    details: { service: name, compared },
  });
}
