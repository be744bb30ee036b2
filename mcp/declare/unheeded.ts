/** What of a declaration does nothing where it is to run, told to whoever declares it. Pure. */
import { unheededChoices } from '../../proxy-daemon/routes/choice-text.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import type { Environment } from '../../specs/nouns.ts';

/** Empty where all of it is heeded. `before`: what was declared until now, by which the gateways have their modes. */
export function unheeded(
  environment: Environment,
  before: Environment | undefined,
  gateways: readonly Pick<GatewayRecord, 'id' | 'mode'>[],
): string {
  const routes = environment.services.map(({ name, proxy }) => ({ service: name, ...(proxy && { proxy }) }));
  const words = unheededChoices(routes);
  if (words === '') return '';
  if (environment.gateway.mode === 'plain') return `gateway: mode: plain is declared: ${words}`;
  // One that is plain without being told so can't be anything else.
  const unable = before?.gateway.mode === 'plain' ? [] : gateways.filter(({ mode }) => mode === 'plain');
  return unable.length === 0 ? '' : `${unable.map(({ id }) => id).join(', ')} can only run in plain mode: ${words}`;
}
