/** A process that makes an ephemeral node, says so on stdout, and lives until it is killed. */
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';

const [registry = '', path = '', timeout = '10000'] = process.argv.slice(2);
const client = await connectZooKeeper(registry, { sessionTimeoutMs: Number(timeout) });
await client.create(path, '', { mode: 'ephemeral' });
process.stdout.write('holding\n');
