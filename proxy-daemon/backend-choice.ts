/** Which way nginx is made to serve, and why. */
import type { GatewaySpec } from '../specs/nouns.ts';
import type { GatewayBackend } from './gateway-backend.ts';

export type GatewayMode = NonNullable<GatewaySpec['mode']>;

export interface ModeChoice {
  mode: GatewayBackend['mode'];
  /** For people. */
  reason: string;
}

export interface BackendChoice {
  /** The mode for what is declared; undefined: nothing is, or that is not known yet. */
  choose(declared: GatewayMode | undefined): ModeChoice;
  make(mode: GatewayBackend['mode']): GatewayBackend;
}

/**
 * Whoever runs the gateway says more than the environment; where both say nothing, or `auto`, dynamic mode is taken if nginx
 * can run Lua. `luaProblem`: why it can't, empty where it can. Pure.
 */
export function chooseMode(
  option: GatewayMode | undefined,
  declared: GatewayMode | undefined,
  luaProblem: string,
): ModeChoice {
  const wish = option ?? declared ?? 'auto';
  const by = option === undefined ? 'the environment' : 'the command line';
  if (wish === 'plain') return { mode: 'plain', reason: `${by} asks for it` };
  if (luaProblem === '') return { mode: 'dynamic', reason: wish === 'auto' ? 'nginx has Lua' : `${by} asks for it` };
  return { mode: 'plain', reason: wish === 'auto' ? luaProblem : `${by} asks for dynamic mode, but ${luaProblem}` };
}
