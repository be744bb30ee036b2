import { connectZooKeeper } from './registrar/zookeeper/client.ts';
import { ownerOptions, readSecret } from './mcp/local/secret.ts';
import { readState, registryOf, statePaths } from './mcp/local/state.ts';
const dir = '/tmp/guards-env/state';
const client = await connectZooKeeper(registryOf(readState(dir)!), { sessionTimeoutMs: 10_000, ...ownerOptions(readSecret(statePaths(dir).secret)) });
const [what, path, data] = process.argv.slice(2);
if (what === 'ls') { for (const c of await client.getChildren(path!)) console.log(c); }
if (what === 'get') console.log(String((await client.get(path!))?.data));
if (what === 'hold') { await client.multi([{ op: 'create', path: path!, data: data!, mode: 'ephemeral' } as never]); await new Promise((r) => setTimeout(r, 8000)); }
if (what === 'set') await client.set(path!, data!, -1);
await client.close();
