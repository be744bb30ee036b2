/** The README's "A/B in two commands", on real processes under load. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { AbReport } from '../../mcp/view/ab-report.ts';
import { errorAnswers } from '../helpers/environment-faults.ts';
import { startLoad } from '../helpers/load.ts';
import { examples, shareEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';

const dns = join(examples, 'services/dns');
const folder = mkdtempSync(join(tmpdir(), 'mcp-ab-'));
const file = join(folder, 'environment.yaml');
writeFileSync(
  file,
  `environment: ab
pool: { size: 1 }
services:
  dns:
    document: /openapi.json
    command: [node, server.js]
    port: 8080
    health: { http: /healthz, interval: 200ms }
    rollout: { min-healthy: 300ms, bake: 300ms, canary: 0, batch: 100%, undo: 0s, pauses: [{ at: 100%, for: promote }] }
    versions:
      1.2.0: { count: 1, artifact: { directory: ${JSON.stringify(dns)} } }
`,
);
const environment = shareEnvironment(test, { file });
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

async function versionsOf(env: TestEnvironment) {
  const { services } = await env.status();
  return services[0]?.versions.map(({ version, live, desired, weight }) => [version, live, desired, weight]);
}

async function reportOf(env: TestEnvironment): Promise<AbReport> {
  return JSON.parse((await env.mcp('ab', 'dns', '--report', '--json')).stdout) as AbReport;
}

type Traffic = { versions: { version: string; requests: number }[] }[];

/** Takes the first operation that deletes out of a document; gives its path. */
function removeDelete(file: string): string {
  const document = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, Record<string, unknown>> };
  const [gone = ''] = Object.keys(document.paths).filter((path) => document.paths[path]?.delete !== undefined);
  delete document.paths[gone]?.delete;
  writeFileSync(file, JSON.stringify(document));
  return gone;
}

function codeOf({ stderr }: { stderr: string }): string {
  return (JSON.parse(stderr) as { error: { code: string } }).error.code;
}

test.serial(
  'two versions side by side under load: shares, report, other weights, conclusion; nothing is lost',
  async (t) => {
    t.timeout(180_000);
    const env = environment();
    t.is(codeOf(await env.mcpFails(2, 'ab', 'dns', '--report', '--json')), 'USAGE_NO_AB');
    t.is(codeOf(await env.mcpFails(2, 'ab', 'dns', '1.2.0=90', '1.3.0=10', '--json')), 'USAGE_UNKNOWN_NAME');

    // $ mcp ab dns 1.2.0=90 1.3.0=10 --artifact services/dns-without-delete
    const broken = join(folder, 'broken');
    cpSync(dns, broken, { recursive: true });
    const gone = removeDelete(join(broken, 'openapi.json'));
    const begin = ['ab', 'dns', '1.2.0=90', '1.3.0=10', '--artifact'];
    const refused = await env.mcpFails(3, ...begin, broken);
    t.regex(refused.stderr, /1 change breaks callers/);
    t.true(refused.stderr.includes(`DELETE ${gone} is gone`), refused.stderr);
    await env.until(
      'it is taken back',
      ({ services }) =>
        services[0]?.versions.every(
          ({ live, desired, version }) => live === desired && (version === '1.2.0' || live === 0),
        ) === true,
    );
    const traffic = JSON.parse((await env.mcp('gateway', 'traffic', '--json')).stdout) as Traffic;
    t.false(
      traffic.some(({ versions }) => versions.some(({ version, requests }) => version === '1.3.0' && requests > 0)),
    );

    // $ mcp ab dns 1.2.0=90 1.3.0=10 --artifact services/dns
    const begun = await env.mcp(...begin, dns);
    t.regex(begun.stdout, /^Desired = live\.\n$/);
    t.regex(
      begun.stderr,
      /1\.3\.0 {2}count 0 -> 1, weight - -> 0.*The documents of 1\.2\.0 and 1\.3\.0: nothing changed for callers\..*1\.3\.0 {2}weight 0 -> 10/s,
    );
    t.deepEqual(await versionsOf(env), [
      ['1.2.0', 1, 1, 90],
      ['1.3.0', 1, 1, 10],
    ]);
    t.regex((await env.mcp(...begin, dns)).stderr, /Generation 5 already says so/, 'the same again is nothing new');
    t.regex((await env.mcp('ab', 'dns')).stdout, /1\.2\.0 +90 +90\.0 % +1\/1\n1\.3\.0 +10 +10\.0 % +1\/1/);
    t.regex((await env.mcp('ab', 'dns', '--report')).stdout, /too few requests to tell: 0 and 0/);
    t.regex((await env.mcp('history')).stdout, /operator:\S+ +ab dns 1\.2\.0=90 1\.3\.0=10/);

    const load = startLoad(env.url, [{ method: 'GET', path: '/dns/zones' }], { clients: 4, pauseMs: 2 });
    t.teardown(() => void load.stop());
    let report = await reportOf(env);
    while ((report.versions[1]?.requests ?? 0) < 60) report = await reportOf(env);
    t.not(report.since, null);
    const [a = 0, b = 0] = report.versions.map(({ requests }) => requests);
    t.true(Math.abs(b / (a + b) - 0.1) < 0.01, `${a} and ${b}`);
    t.is(report.comparisons[0]?.errors?.finding, 'unclear');

    // $ mcp ab dns 1.2.0=50 1.3.0=50
    await env.mcp('ab', 'dns', '1.2.0=50', '1.3.0=50');
    t.deepEqual(
      (await versionsOf(env))?.map(([, , count, weight]) => [count, weight]),
      [
        [1, 50],
        [1, 50],
      ],
    );
    report = await reportOf(env);
    while ((report.versions[1]?.requests ?? 0) < 60) report = await reportOf(env);
    const [c = 0, d = 0] = report.versions.map(({ requests }) => requests);
    t.true(Math.abs(d / (c + d) - 0.5) < 0.05, `${c} and ${d}: counted anew`);

    // $ mcp ab dns --conclude 1.3.0
    await env.mcp('ab', 'dns', '--conclude', '1.3.0', '--no-wait');
    t.is(codeOf(await env.mcpFails(3, 'ab', 'dns', '1.2.0=90', '1.3.0=10', '--json')), 'REFUSED_ROLLOUT');
    await env.mcp('promote', 'dns', '--all');
    await env.until('concluded', ({ services }) => {
      const [old, now] = services[0]?.versions ?? [];
      return old?.live === 0 && old.instances.length === 0 && now?.live === 2 && now.desired === 2;
    });
    t.deepEqual(errorAnswers(await load.stop()), []);
    t.regex((await env.mcp('history')).stdout, /ab dns --conclude 1\.3\.0/);
  },
);
