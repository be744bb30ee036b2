/** A gateway daemon in a process of its own, for measurements: `node gateway-process.ts REGISTRY DIR PORT INTERVAL_MS MODE`. */
import { pino } from 'pino';
import { runGateway } from '../../proxy-daemon/main.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { fixedDocuments } from './fixed-documents.ts';

const [registry = '', dir = '', port = '', interval = '', mode = ''] = process.argv.slice(2);
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());

await runGateway({
  id: 'measured',
  connect: (options) => connectZooKeeper(registry, options),
  connectForeign: (hosts) => (options) => connectZooKeeper(hosts ?? registry.replace(/\/.*$/, ''), options),
  dir,
  listen: { address: '127.0.0.1', port: Number(port) },
  clock: systemClock,
  log: pino({ level: 'silent' }),
  signal: ending.signal,
  documents: fixedDocuments('measured').source,
  minReloadIntervalMs: Number(interval),
  mode: mode === 'plain' ? 'plain' : 'dynamic',
});
