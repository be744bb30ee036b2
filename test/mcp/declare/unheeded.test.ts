/** Whoever declares what does nothing in plain mode is told so. */
import test from 'ava';
import { unheeded } from '../../../mcp/declare/unheeded.ts';
import type { GatewaySpec } from '../../../specs/nouns.ts';
import { sampleEnvironment, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

function environmentWith(mode: GatewaySpec['mode'], choice = true) {
  const proxy = choice ? { override: 'X-Try' } : { retries: 1 };
  const environment = sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { proxy })]);
  return { ...environment, gateway: { ...environment.gateway, ...(mode && { mode }) } };
}

test('stickiness and the like in plain mode are told to whoever declares them, where that mode is known', (t) => {
  const words = 'sticky, override, split and mirror need dynamic mode; here they do nothing for dns';
  const auto = environmentWith(undefined);
  const plain = environmentWith('plain');
  const [able, unable] = [
    { id: 'g1', mode: 'dynamic' as const },
    { id: 'g1', mode: 'plain' as const },
  ];
  t.is(unheeded(plain, undefined, [able]), `gateway: mode: plain is declared: ${words}`);
  t.is(unheeded(auto, auto, [unable]), `g1 can only run in plain mode: ${words}`);
  t.is(unheeded(auto, plain, [unable]), '', 'it is plain because that was declared');
  t.is(unheeded(auto, auto, [able]), '');
  t.is(unheeded(environmentWith('plain', false), undefined, [unable]), '');
});
