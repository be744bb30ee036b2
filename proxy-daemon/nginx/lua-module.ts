/** Whether nginx here can run Lua: asked of nginx itself, with the configuration lines that it would be run with. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { block, type Directive, directive, emit } from './emit.ts';
import { runNginx } from './run-nginx.ts';

const folders = [
  '/usr/lib/nginx/modules',
  '/usr/lib64/nginx/modules',
  '/usr/local/nginx/modules',
  '/etc/nginx/modules',
];
const files = ['ndk_http_module.so', 'ngx_http_lua_module.so'];
/** Where Debian keeps lua-resty-core; nginx's Lua looks there by itself. */
const libraries = ['/usr/share/lua/5.1', '/usr/local/share/lua/5.1', '/usr/local/openresty/lualib'];

/** Empty where nginx has the Lua module built in. */
export function luaModules(): Directive[] {
  const folder = folders.find((path) => existsSync(join(path, 'ngx_http_lua_module.so')));
  if (folder === undefined) return [];
  return files
    .map((file) => join(folder, file))
    .filter((path) => existsSync(path))
    .map((path) => directive('load_module', path));
}

/** Empty where it can, else why not. Takes some ten ms. */
export async function luaProblem(): Promise<string> {
  if (!libraries.some((path) => existsSync(join(path, 'ngx/balancer.lua')))) {
    return 'lua-resty-core is not installed (Debian: libnginx-mod-http-lua)';
  }
  const dir = mkdtempSync(join(tmpdir(), 'mcp-lua-'));
  try {
    const file = join(dir, 'nginx.conf');
    writeFileSync(
      file,
      emit([
        ...luaModules(),
        directive('pid', join(dir, 'pid')),
        directive('error_log', 'stderr', 'crit'),
        block('events', [], []),
        block('http', [], [directive('lua_shared_dict', 'probe', '64k')]),
      ]),
    );
    const { ok, output } = await runNginx(['-t', '-q', '-c', file], dir);
    if (ok) return '';
    if (output.includes('unknown directive')) return 'nginx has no Lua module (Debian: libnginx-mod-http-lua)';
    return `nginx can't load its Lua module: ${output.split('\n', 1)[0]}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
