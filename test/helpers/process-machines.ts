/** ProcessProviders for tests: in a temporary folder, on an address block of their own, nothing left behind. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { processesMarked } from '../../registrar/process-identity.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { ProcessProvider, type ProcessProviderOptions } from '../../vm-factory/process/process-provider.ts';
import { tempDir } from './temp-dir.ts';

export const testCluster = 'test-cluster';

/** argv of an agent that costs next to nothing. */
export const sleepingAgent = ['/bin/sh', '-c', 'exec sleep 1000', 'agent'];

export function nodeAgent(...words: string[]): string[] {
  return [process.execPath, fileURLToPath(new URL('fake-agent.mjs', import.meta.url)), ...words];
}

/** Blocks differ between test processes that run at once. */
export const testBlock = `127.${200 + (process.pid % 50)}.${(process.pid >> 6) % 256}`;

export interface ProcessBench {
  dir: string;
  /** Another provider on the same folder. */
  open(options?: Partial<ProcessProviderOptions>): ProcessProvider;
}

/** At the test's end every machine is destroyed and every provider closed. */
export async function processBench(t: ExecutionContext): Promise<ProcessBench> {
  const dir = await tempDir(t);
  const providers: ProcessProvider[] = [];
  const open = (options: Partial<ProcessProviderOptions> = {}) => {
    const defaults = {
      dir,
      clusterId: testCluster,
      addressBlock: testBlock,
      agentCommand: sleepingAgent,
      clock: systemClock,
    };
    const provider = new ProcessProvider({ ...defaults, ...options });
    providers.push(provider);
    return provider;
  };
  t.teardown(async () => {
    const last = open();
    const machines = (await last.list()).filter(({ state }) => state !== 'unknown');
    await Promise.all(machines.map((machine) => last.destroy(machine)));
    await Promise.all(providers.map((provider) => provider.close()));
  });
  return { dir, open };
}

/** pid of the machine's main process. */
export function mainPid(dir: string, uuid: string): number {
  return Number(readlinkSync(join(dir, 'machines', uuid, 'identity')).split(':')[0]);
}

/** pids of all that runs in the machine. */
export function pidsOf(uuid: string): number[] {
  return processesMarked(`MCP_MACHINE=${uuid}`).map(({ pid }) => pid);
}
