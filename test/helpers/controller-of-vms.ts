/**
 * Run as a program: a controller of virtual machines. argv[2] is JSON:
 * - `killAt`: it is killed when it comes to this failpoint.
 * - `stopIn`: `create` or `destroy`; it is stopped (SIGSTOP) when it is about to ask the provider that for the first time.
 */
import { runController } from '../../mcp/control/controller.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { testImages } from './qemu-machines.ts';

const { provider: options, killAt, stopIn, sessionTimeoutMs, ...rest } = JSON.parse(process.argv[2] ?? '{}');
const real = new QemuProvider({ ...options, images: testImages, clock: systemClock });

let stopped = false;
const provider = new Proxy<MachineProvider>(real, {
  get(target, name) {
    const value = Reflect.get(target, name, target) as unknown;
    if (typeof value !== 'function') return value;
    return (...words: unknown[]) => {
      if (name === stopIn && !stopped) {
        stopped = true;
        process.kill(process.pid, 'SIGSTOP');
      }
      return value.apply(target, words);
    };
  },
});

const end = new AbortController();
process.once('SIGTERM', () => end.abort(new Error('SIGTERM')));
const say = (facts: object, message: string) => process.stdout.write(`${JSON.stringify({ message, ...facts })}\n`);
await runController({
  ...rest,
  provider,
  connect: (call) => connectZooKeeper(rest.registry, { sessionTimeoutMs, signal: call?.signal }),
  clock: systemClock,
  log: { info: say, warn: say, error: say },
  allowLoopback: true,
  signal: end.signal,
  failpoint: (name) => {
    if (name === killAt) process.kill(process.pid, 'SIGKILL');
  },
});
await real.close();
