/**
 * Keep-alive load with as little work of its own as there can be, in a process of its own: `raw-load.ts PORT PATH SECONDS`.
 * Prints `{perSecond, p99Ms, failed}`. Each connection asks, waits for the whole answer, asks again.
 */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { quantile } from './gateway-parts.ts';

export interface RawResult {
  perSecond: number;
  p99Ms: number;
  failed: number;
}

const connections = 32;

/** Runs it. The answers must carry a content-length. */
export async function rawLoad(port: number, path: string, seconds: number): Promise<RawResult> {
  const words = [fileURLToPath(import.meta.url), String(port), path, String(seconds)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = '', path = '', seconds = ''] = process.argv.slice(2);
  const request = `GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`;
  const times: number[] = [];
  let failed = 0;
  const began = performance.now();
  const until = began + Number(seconds) * 1000;
  const one = () =>
    new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1').setNoDelay();
      let asked = 0;
      let heard = '';
      const next = () => {
        if (performance.now() >= until) return void socket.destroy();
        asked = performance.now();
        heard = '';
        socket.write(request);
      };
      socket.setEncoding('latin1').on('data', (text: string) => {
        heard += text;
        const end = heard.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? 0);
        if (heard.length < end + 4 + length) return;
        times.push(performance.now() - asked);
        if (!heard.startsWith('HTTP/1.1 200')) failed += 1;
        next();
      });
      socket.on('connect', next);
      socket.on('error', () => {
        failed += 1;
      });
      socket.on('close', () => resolve());
    });
  await Promise.all(Array.from({ length: connections }, one));
  const perSecond = times.length / ((performance.now() - began) / 1000);
  process.stdout.write(JSON.stringify({ perSecond, p99Ms: quantile(times, 0.99), failed }));
}
