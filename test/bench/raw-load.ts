/**
 * Keep-alive load with as little work of its own as there can be, by ApacheBench (HTTP/1.0): each connection asks, waits for the whole
 * answer, asks again.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface RawResult {
  perSecond: number;
  p99Ms: number;
}

const connections = 32;

/** Sends so many requests on new connections. Throws where one failed. */
export async function rawLoad(url: string, requests: number): Promise<RawResult> {
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-ab-'));
  try {
    const table = join(dir, 'percentiles');
    const words = ['-q', '-k', '-c', String(connections), '-n', String(requests), '-e', table, url];
    const { stdout } = await promisify(execFile)('ab', words);
    const told = (line: string) => Number(new RegExp(`^${line}: +([\\d.]+)`, 'm').exec(stdout)?.[1] ?? Number.NaN);
    if (told('Failed requests') !== 0 || stdout.includes('Non-2xx')) throw new Error(stdout);
    const p99 = /^99,([\d.]+)$/m.exec(await readFile(table, 'utf8'))?.[1];
    return { perSecond: told('Requests per second'), p99Ms: Number(p99) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
