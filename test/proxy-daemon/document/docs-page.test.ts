import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { chromium } from 'playwright-core';
import { smallDocument, startDocumentServer } from '../../helpers/document-server.ts';
import { startExampleGateway } from '../../helpers/example-gateway.ts';

/** Text that would run, or load something from elsewhere, if the page took it for HTML. */
function hostileText(port: number): string {
  return [
    '<script>window.stolen = 1</script>',
    '<img src="x" onerror="window.stolen = 2">',
    `<img src="http://127.0.0.1:${port}/pixel.png">`,
    '<iframe srcdoc="<script>parent.stolen = 3</script>"></iframe>',
    '<style>* { display: none !important }</style>',
    '[click](javascript:window.stolen=4)',
  ].join('\n\n');
}

test('the docs page shows all services, and "Try it out" calls them through the gateway', async (t) => {
  const elsewhere = await startDocumentServer({});
  t.teardown(() => elsewhere.close());
  const hostile = hostileText(elsewhere.port);
  const rogue = await startDocumentServer(
    smallDocument(['/trap'], {
      info: { title: hostile, version: '1', description: hostile },
      tags: [{ name: 'rogue', description: hostile }],
    }),
  );
  t.teardown(() => rogue.close());
  const { gateway } = await startExampleGateway(t, { rogue });

  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1200, height: 1400 } });
  const requests: string[] = [];
  const problems: string[] = [];
  // What the page's policy blocks is no response.
  page.on('response', (response) => requests.push(response.url()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${gateway.url}/docs/`);
  await page.waitForSelector('.opblock-tag-section');

  const headings = await page.$$eval('.opblock-tag', (tags) => tags.map((tag) => tag.getAttribute('data-tag')));
  for (const service of ['certificates', 'dns: zones', 'domains', 'rogue']) {
    t.true(headings.includes(service), `${service} among ${headings.join(', ')}`);
  }
  t.deepEqual(
    headings,
    [...headings].sort(
      (a, b) =>
        String(a)
          .split(':')[0]
          ?.localeCompare(String(b).split(':')[0] ?? '') ?? 0,
    ),
  );
  const operations = await page.$$eval('.opblock-summary-path', (paths) =>
    paths.map((path) => path.getAttribute('data-path')),
  );
  t.true(operations.includes('/domains/v1/names'));
  t.true(operations.includes('/certificates/issued/{id}/renewal'));

  const operation = page.locator('.opblock-get', { has: page.locator('[data-path="/dns/zones"]') });
  await operation.locator('.opblock-summary-control').first().click();
  const tryOut = operation.locator('.try-out__btn', { hasText: 'Try it out' });
  if ((await tryOut.count()) > 0) await tryOut.click();
  await operation.locator('.execute').click();
  await operation.locator('.live-responses-table .response-col_status').first().waitFor();
  const status = await operation.locator('.live-responses-table tbody .response-col_status').first().textContent();
  t.regex(status ?? '', /^200/);
  const answer = await operation.locator('.live-responses-table .response-col_description').last().textContent();
  t.regex(answer ?? '', /example\.com/);
  t.true(requests.includes(`${gateway.url}/dns/zones`));

  t.is(await page.evaluate('window.stolen'), undefined);
  t.deepEqual(
    requests.filter((url) => !url.startsWith(`${gateway.url}/`) && !url.startsWith('data:')),
    [],
  );
  t.deepEqual(elsewhere.requests, []);
  t.deepEqual(problems, []);
  t.true(await operation.isVisible(), 'a style in a description hides nothing');
  if (process.env.SCREENSHOT) await writeFile(process.env.SCREENSHOT, await page.screenshot({ fullPage: true }));

  const services = await page.locator('#services tbody tr').allInnerTexts();
  t.deepEqual(
    services.map((text) => text.split(/\s/)[0]),
    ['certificates', 'dns', 'domains', 'rogue'],
  );
  await page.locator('#services a', { hasText: 'certificates' }).click();
  await page.waitForURL('**/docs/certificates/');
  await page.waitForSelector('.opblock-tag-section');
  t.is(await page.locator('#title').textContent(), 'certificates');
  const own = await page.$$eval('.opblock-summary-path', (paths) =>
    paths.map((path) => path.getAttribute('data-path')),
  );
  t.true(own.length > 0 && own.every((path) => path?.startsWith('/certificates/')));
  const differences = await page.locator('#differences tbody tr').allInnerTexts();
  t.true(
    differences.some((text) =>
      /^POST \/certificates\/issued\/\{id\}\/renewal\s+1\.1\.0\s+1\.0\.0: not there/.test(text),
    ),
    differences.join('\n'),
  );
  t.deepEqual(problems, []);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT.replace('.png', '-service.png') });
});
