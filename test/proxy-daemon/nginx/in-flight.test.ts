/** How nginx's workers keep their counts of requests in flight: lua/mcp/in-flight.lua by itself, with room for few. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { block, directive, emit } from '../../../proxy-daemon/nginx/emit.ts';
import { luaModules } from '../../../proxy-daemon/nginx/lua-module.ts';
import { workersOf } from '../../../proxy-daemon/nginx/nginx-workers.ts';
import { runNginx } from '../../../proxy-daemon/nginx/run-nginx.ts';
import { ask } from '../../helpers/ask.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freePort } from '../../helpers/free-port.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const lua = fileURLToPath(new URL('../../../proxy-daemon/nginx/lua', import.meta.url));
/** 256 bytes for each: more than so many are never counted at a time. */
const room = '32k';
const places = 128;

/** What a path asks of the module, and the answer in text; instances are numbers. */
const answers = `
local in_flight = require 'mcp.in-flight'
local peers = package.loaded['test.peers'] or {}
package.loaded['test.peers'] = peers
local function peer(n)
  peers[n] = peers[n] or { key = 'dns ' .. n, counter = false, others = 0, others_at = 0 }
  return peers[n]
end
local calls = {
  begin = function(n) return in_flight.begin(peer(n)) end,
  finish = function(n) return in_flight.finish(peer(n)) end,
  total = function(n) return in_flight.total(peer(n), 1) end,
  sweep = function() in_flight.sweep() in_flight.sweep() end,
  forget = function(n) in_flight.forget(n) end,
  dead = function(n)
    local dict = ngx.shared.mcp_in_flight
    dict:set('1@dns ' .. n, dict:incr('places', 1) - 1)
    dict:set('1 dns ' .. n, 3)
  end,
  counts = function()
    local found = {}
    in_flight.each(function(pid, key, count)
      found[#found + 1] = (pid == '1' and 'dead ' or '') .. key .. ' ' .. count
    end)
    table.sort(found)
    return table.concat(found, '; ')
  end,
}
local call, n = ngx.var.uri:match('^/(%a+)/?(%d*)$')
ngx.say(tostring(calls[call](n)))
`;

/** An nginx with one worker, and a function that asks it. */
async function startCounting(t: Parameters<typeof tempDir>[0]) {
  const dir = await tempDir(t);
  const port = await freePort();
  const config = join(dir, 'nginx.conf');
  const file = join(dir, 'answers.lua');
  await writeFile(file, answers);
  await writeFile(
    config,
    emit([
      ...luaModules(),
      directive('worker_processes', 1),
      directive('pid', join(dir, 'pid')),
      directive('error_log', join(dir, 'error.log')),
      block('events', [], []),
      block(
        'http',
        [],
        [
          directive('access_log', 'off'),
          directive('lua_shared_dict', 'mcp_in_flight', room),
          directive('lua_shared_dict', 'mcp_workers', '64k'),
          directive('lua_package_path', `${lua}/?.lua;;`),
          // Read by the master: its workers may be another user's.
          directive(
            'init_by_lua',
            `require('mcp.in-flight').open() package.loaded['test.answers'] = loadfile('${file}')`,
          ),
          directive('init_worker_by_lua', "require('mcp.in-flight').init()"),
          block(
            'server',
            [],
            [
              directive('listen', `127.0.0.1:${port}`),
              block('location', ['/'], [directive('content_by_lua', "package.loaded['test.answers']()")]),
            ],
          ),
        ],
      ),
    ]),
  );
  const { ok, output } = await runNginx(['-c', config], dir);
  if (!ok) throw new Error(output);
  const master = Number(readFileSync(join(dir, 'pid'), 'utf8'));
  t.teardown(async () => void process.kill(master, 'SIGTERM'));
  const call = async (path: string) => (await ask(`http://127.0.0.1:${port}/${path}`)).body.trim();
  /** The workers from before, of which none takes a request any more. */
  const reload = async () => {
    const before = new Set(workersOf(master).map(({ pid }) => pid));
    process.kill(master, 'SIGHUP');
    await eventually('other workers', () => {
      const open = workersOf(master).filter(({ leaving }) => !leaving);
      return open.length > 0 && open.every(({ pid }) => !before.has(pid));
    });
    return [...before];
  };
  return { call, reload };
}

test('what does not fit is refused, never sent uncounted; a count that went to 0 makes room for another', async (t) => {
  const { call } = await startCounting(t);
  for (let n = 1; n <= places; n += 1) t.is(await call(`begin/${n}`), 'true');
  t.is(await call('begin/1'), 'true');
  t.is(await call('begin/129'), 'false');
  t.is(await call('total/1'), '2');
  t.is(await call('total/129'), '0');
  await call('finish/7');
  t.is(await call('begin/129'), 'true');
  // In the place of another, from 0 on.
  t.is(await call('total/129'), '1');
  t.is(await call('total/7'), '0');
  t.is(await call('begin/7'), 'false');
});

test('many instances one after another: each gets a place, and what is idle is told no more', async (t) => {
  const { call } = await startCounting(t);
  await call('begin/1');
  for (let n = 2; n < 4 * places; n += 1) {
    t.is(await call(`begin/${n}`), 'true');
    await call(`finish/${n}`);
  }
  await call('sweep');
  t.is(await call('counts'), 'dns 1 1');
});

test('counts outlive a reload; those of a dead worker are forgotten once, whatever code it ran, and leave their room', async (t) => {
  const { call, reload } = await startCounting(t);
  await call('begin/1');
  await call('dead/2');
  const [old = 0] = await reload();
  t.is(await call('total/1'), '0');
  t.is(await call('counts'), 'dead dns 2 0; dead dns 2 3; dns 1 1');
  await call('forget/1');
  await call('forget/1');
  t.is(await call('counts'), 'dns 1 1');
  await call(`forget/${old}`);
  t.is(await call('counts'), '');
  // Every place is free, from 0 on, and none was given back twice: no two instances share one.
  for (let n = 1; n <= places; n += 1) t.is(await call(`begin/${n}`), 'true');
  t.is(await call(`begin/${places + 1}`), 'false');
  for (let n = 1; n <= places; n += 1) t.is(await call(`total/${n}`), '1');
});
