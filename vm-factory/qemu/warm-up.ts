/** How a service's template is made: from a clone of the plain template, in which the service is started. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WarmOrder } from '../../registrar/agent/warm-service.ts';
import { isMcpError } from '../../specs/errors.ts';
import { notWarmWord, type WarmLine, waitingWord } from '../guest/inside.ts';
import { copySparse } from './disks.ts';
import { hostFiles, type Offer } from './grant.ts';
import { plainOf } from './model.ts';
import { type Begin, dropTemplate, ensureTemplate } from './template.ts';
import { personify, restoreVm, startVm, untilConsoleSays } from './vm.ts';

/** Fetch, start and health under emulation, on a busy machine, ms. */
const warmUpTimeoutMs = 180_000;

/**
 * What is told to the guest is no identity: no machine, no token, no registry, and the only file it may fetch is the service's.
 * @param artifacts folder with the environment's artifacts, each named by its sha256, or null
 */
export function warmUp(order: WarmOrder, artifacts: string | null): Begin {
  return async ({ model, draft, clock, signal, started }) => {
    const { image, shape } = model;
    const plain = plainOf(model);
    const base = await ensureTemplate(plain, clock, signal);
    const memoryFile = join(draft, 'memory');
    await copySparse(base.memoryFile, memoryFile);
    const offer: Offer = { artifacts, sha256: order.version.artifact?.sha256 ?? null };
    await writeFile(join(draft, hostFiles.offer), JSON.stringify(offer));
    const overlays = base.overlays.map((overlay) => ({ ...overlay, copied: true }));
    const start = { kind: 'successor', memoryFile } as const;
    const vm = await startVm({ folder: draft, files: image, shape, start, overlays, inBackground: true });
    started(vm);
    try {
      await restoreVm(vm.identity, base.stateFile, shape.qemu, clock);
    } catch (error) {
      if (isMcpError(error, 'TEMPLATE_DAMAGED')) await dropTemplate(plain);
      throw error;
    }
    const line: WarmLine = { warm: order };
    await personify(vm.identity, draft, JSON.stringify(line), clock);
    const waiting = { folder: draft, identity: vm.identity };
    const patience = { timeoutMs: warmUpTimeoutMs, clock, signal, unless: notWarmWord };
    await untilConsoleSays(waiting, waitingWord, patience);
    return overlays;
  };
}
