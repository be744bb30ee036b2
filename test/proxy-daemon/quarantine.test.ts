/** Bad registrations at a gateway: each is left out alone, its machine and everybody else is told why, the good ones serve on. */
import test from 'ava';
import type { MachineRecord } from '../../registrar/records.ts';
import { codecs, decode } from '../../registrar/store/codecs.ts';
import { isMcpError } from '../../specs/errors.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleRegistration } from '../helpers/sample-world.ts';

/** One bad node each: its path below /services, what it holds, and why it is left out. `null`: what a good one would hold. */
const cases: [path: string, content: unknown, why: RegExp, mode?: 'persistent'][] = [
  ['dns/1/empty', '', /it is empty/],
  ['dns/1/torn', '{"schema":1,"service":"dns"', /it is not JSON/],
  ['dns/1/list', '[]', /not a JSON object/],
  ['dns/1/binary', Buffer.from([0xff, 0xfe, 0]), /it is not JSON/],
  ['dns/1/large', { padding: 'x'.repeat(5000) }, /more than 4096 bytes/],
  ['dns/1/schema', { schema: 2 }, /schema is unknown/],
  ['dns/1/zero', { port: 0 }, /port/],
  ['dns/1/high', { port: 70_000 }, /port/],
  ['dns/1/text-port', { port: '80' }, /port/],
  ['dns/1/host-name', { address: 'evil.example' }, /not an IP address/],
  ['dns/1/injection', { address: '127.0.0.1;} server {' }, /not an IP address/],
  ['dns/1/newline', { document: '/a\nserver' }, /document/],
  ['dns/1/metadata', { address: '169.254.169.254' }, /link-local/],
  ['dns/1/digits', { address: '１２７.0.0.1' }, /not an IP address/],
  ['dns/1/proto', '{"__proto__":{}}', /__proto__/],
  ['dns/1/other-version', { version: '2' }, /version is not the one in the path/],
  ['dns/1/other-service', { service: 'mail' }, /service is not the one in the path/],
  ['dns/1/other-machine', { machine: 'm-9' }, /machine is not the one in the path/],
  ['dns/1/stays', null, /persistent/, 'persistent'],
  ['dns/1/thief', { address: '127.0.0.77' }, /address is not that of machine thief in the ledger/],
  ['dns/1/impostor', null, /machine impostor is claimed for mail@7/],
  ['dns/1/double', null, /newer registration of 127\.0\.0\.1/],
  ['dns/1/bidi\u202efdp', null, /the path is not/],
  ['dns/ｄｎｓ/wide', null, /the path is not/],
];

test('every bad registration is left out alone, and its machine is told why until it is corrected', async (t) => {
  const gateway = await testGateway(t);
  const { client } = gateway;
  const backend = await startBackend(t, 'good');
  await client.create('/machines');
  const machine = (uuid: string, over: Partial<MachineRecord>) =>
    client.create(
      `/machines/${uuid}`,
      JSON.stringify({
        uuid,
        provider: 'p',
        image: 'i',
        state: 'claimed',
        operation: 'o',
        epoch: 1,
        createdAt: 0,
        changedAt: 0,
        ...over,
      }),
    );
  const claim = { service: 'mail', version: '7', digest: '', operation: '', at: 0 };
  await machine('thief', { address: '127.0.0.3' });
  await machine('impostor', { address: '127.0.0.1', claim });
  gateway.start();
  await gateway.settled();
  const at = (name: string) =>
    sampleRegistration('dns', '1', 1, { machine: name, address: '127.0.0.1', port: backend.port });
  for (const parent of ['/services/dns', '/services/dns/1', '/services/dns/ｄｎｓ']) await client.create(parent);
  for (const [index, [path, content, , mode = 'ephemeral']] of cases.entries()) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const own = { ...at(name).record, port: name === 'double' ? backend.port : 20_000 + index };
    const held =
      content === null || (typeof content === 'object' && !Array.isArray(content) && !Buffer.isBuffer(content));
    const data = held ? JSON.stringify({ ...own, ...content }) : content;
    await client.create(`/services/${path}`, Buffer.isBuffer(data) ? data : String(data), { mode });
  }
  // Deeper nodes, and thousands beside each other, are nobody's concern.
  await client.create('/services/dns/1/stays/child');
  await client.create('/services/dns/1/stays/child/deeper', '} server {');
  const flood = Array.from({ length: 1500 }, (_, n) =>
    client.create(`/services/dns/1/flood-${n}`, '{}', { mode: 'ephemeral' }),
  );
  await Promise.all(flood);
  await gateway.register({ ...at('good'), path: '/services/dns/1/good' });
  await eventually('the good one serves', async () => (await gateway.ask('/dns/x')).status === 200, 30_000);
  const record = await gateway.settled();
  t.is(record.instances, 1);
  t.is(record.rejected.length, 20);

  for (let n = 0; n < 1500; n += 1) await client.delete(`/services/dns/1/flood-${n}`);
  const status = await eventually(
    'all are told',
    async () => {
      const said = await gateway.status();
      return said.rejected.length === cases.length ? said : null;
    },
    30_000,
  );
  for (const [path, , why] of cases) {
    const shown = `/services/${path}`.replace('\u202e', '\ufffd');
    t.regex(status.rejected.find((one) => one.path === shown)?.reason ?? '', why, path);
  }
  t.is((await gateway.ask('/dns/x')).status, 200);

  const told = async (name: string) => {
    try {
      return decode(codecs.quarantine, name, (await client.get(`/quarantine/${name}`)).data);
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
      throw error;
    }
  };
  for (const [path, , why] of cases.filter(([of]) => /^dns\/1\/[\w-]+$/.test(of))) {
    const name = path.slice('dns/1/'.length);
    const word = await eventually(`${name} is told`, () => told(name));
    t.like(word, { machine: name, path: `/services/${path}`, gateway: 'g1' });
    t.regex(word.reason, why);
  }
  await client.set('/services/dns/1/zero', JSON.stringify({ ...at('zero').record, port: backend.port + 1 }));
  await eventually('corrected: told no more', async () => (await told('zero')) === null);
  await gateway.end();
  await eventually('a gateway that goes takes its words along', async () => (await told('high')) === null);
});
