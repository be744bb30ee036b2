/** Runs the nginx program to its end: to check a configuration, or to start a master that then lives by itself. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface NginxRun {
  ok: boolean;
  /** What it said, at most the last 4,000 characters. */
  output: string;
  /** From starting the process to knowing its end, ms. */
  ms: number;
}

/** Debian keeps it in sbin, which a user's PATH need not have. */
const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path)) ?? 'nginx';
const longestRunMs = 60_000;

/** Never rejects: a missing program is a failed run. `cwd` marks the processes as this gateway's. */
export function runNginx(args: string[], cwd: string): Promise<NginxRun> {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(program, args, { cwd, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), longestRunMs);
    const end = (ok: boolean) => {
      clearTimeout(timer);
      child.stderr.destroy();
      resolve({ ok, output: output.trim().slice(-4000), ms: performance.now() - started });
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    // A master that went into the background may still hold the pipe: `close` is awaited only for what a failure said.
    child.on('exit', (code) => {
      if (code === 0) end(true);
    });
    child.on('close', (code) => {
      if (code !== 0) end(false);
    });
  });
}

let servesPacked: boolean | undefined;

/** True where this nginx can serve files that are compressed already (`gzip_static`; Debian's can). Asked once. */
export function canServePacked(): boolean {
  servesPacked ??=
    spawnSync(program, ['-V'], { encoding: 'utf8' }).stderr?.includes('http_gzip_static_module') ?? false;
  return servesPacked;
}
