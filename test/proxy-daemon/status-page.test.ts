/** /status in a browser, on a real nginx. */
import test from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { StatusReport } from '../../proxy-daemon/status-report.ts';
import { eventually } from '../helpers/eventually.ts';
import { startExampleGateway } from '../helpers/example-gateway.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const hostile = '"><script>window.stolen = 1</script><img src=x onerror="window.stolen = 2">';

/** Everything that a browser may complain of. */
function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) found.push(message.text());
  });
  return found;
}

async function launch(t: { teardown(fn: () => Promise<void>): void }): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  return browser;
}

for (const mode of ['dynamic', 'plain'] as const) {
  test(`${mode} mode: the page is live, finds, unfolds and explains; hostile names are text; without JavaScript it can be read`, async (t) => {
    const gateway = await testGateway(t);
    const many = Array.from({ length: 60 }, (_, at) => sampleService(`other-${at}`, [sampleVersion('1', 0)]));
    const dns = sampleService('dns', [sampleVersion('1', 1, 90), sampleVersion('2', 1, 10)], {
      limits: { rate: { requests: 100, per: 's', burst: 5000 } },
    });
    await gateway.declare({ ...sampleEnvironment([dns, ...many]), name: hostile }, 1);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    const local = { address: '127.0.0.1', port: backend.port };
    await gateway.register(sampleRegistration('dns', '1', 1, local));
    await gateway.register(sampleRegistration('dns', '2', 2));
    await gateway.client.create(`/services/dns/1/${hostile.replaceAll('/', '|')}`, hostile);
    await gateway.settled();

    const browser = await launch(t);
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    const problems = complaints(page);
    const violated = async () => page.evaluate('window.violations ?? []');
    await page.addInitScript(
      "document.addEventListener('securitypolicyviolation', (e) => (window.violations ??= []).push(e.violatedDirective))",
    );
    await page.goto(`${gateway.url}/status`);
    await page.locator('#live', { hasText: /^live/ }).waitFor();
    t.is(await page.locator('tr.service').count(), 50, 'one page of them');
    t.is(
      await page
        .locator('#pages')
        .innerText()
        .then((text) => text.replaceAll(/\s+/g, ' ')),
      '← 1 to 50 of 61 →',
    );
    await page.locator('#pages button').last().click();
    t.is(await page.locator('tr.service').count(), 11);

    await page.locator('#filter').fill('dns');
    t.is(await page.locator('tr.service').count(), 1);
    const row = page.locator('#service-dns');
    t.regex(await row.innerText(), /2 live/);
    t.regex(await row.innerText(), /1 90 %/);
    t.regex(await row.innerText(), /100\/s/);
    await row.locator('summary').click();
    await row.locator('.inner').waitFor();
    t.regex(await row.innerText(), new RegExp(`127.0.0.1:${backend.port}`));

    const tile = (name: string) => page.locator('.tile', { hasText: name }).locator('strong').innerText();
    const before = Number(await tile('generation'));
    await gateway.register(sampleRegistration('dns', '2', 3));
    await eventually('the page shows the next generation', async () => Number(await tile('generation')) > before);
    await row.getByText('3 live').waitFor();
    t.is(await row.locator('details').getAttribute('open'), '', 'what is unfolded stays so');
    if (mode === 'dynamic') {
      await eventually('requests are counted on the page', async () => {
        await gateway.ask('/dns/x');
        return (await tile('requests')) !== '0 /s';
      });
    } else t.is(await tile('requests'), '–');

    await page.locator('#path').fill('/dns/zones?q=<b>');
    await page.locator('#explain button').click();
    await page.locator('.explanation, #explanation .alert').waitFor();
    t.regex(await page.locator('#explanation').innerText(), /route \/dns leads to one of 3 instances/);

    t.is(await page.evaluate('window.stolen'), undefined);
    t.regex(await page.locator('#subtitle').innerText(), /<script>window\.stolen/);
    t.deepEqual(await violated(), []);
    t.deepEqual(problems, []);

    const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await plain.goto(`${gateway.url}/status`);
    t.regex(await plain.locator('#service-dns').innerText(), /\/dns/);
    t.is(await plain.locator('tr.service').count(), 61);
    t.false(await plain.locator('#filter').isVisible());

    await gateway.end();
    await page.route('**/status.json', (route) => route.abort());
    await page.getByText('The gateway does not answer.').waitFor();
    t.true((await row.count()) === 1, 'what was there stays shown');
  });
}

test('the same file is not sent again, and another one of the same second and size is', async (t) => {
  const gateway = await testGateway(t);
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const { headers } = await gateway.ask('/status.json');
  const etag = String(headers.etag);
  const seen = new Set([etag]);
  for (let n = 1; n <= 5; n += 1) {
    await gateway.register(sampleRegistration(`s${n}`, '1', n));
    await gateway.settled();
    const next = await eventually('another ETag', async () => {
      const answer = await gateway.ask('/status.json', { 'if-none-match': [...seen].at(-1) ?? '' });
      return answer.status === 200 ? answer : null;
    });
    const { served } = JSON.parse(next.body) as StatusReport;
    t.true(served.generation > 0);
    t.false(seen.has(String(next.headers.etag)));
    seen.add(String(next.headers.etag));
  }
});

if (process.env.SCREENSHOT) {
  test('the picture of the example under some load', async (t) => {
    const { gateway } = await startExampleGateway(t);
    const browser = await launch(t);
    const viewport = { width: 1280, height: 900 };
    const page = await (await browser.newContext({ viewport, colorScheme: 'light' })).newPage();
    const paths = ['/dns/zones', '/domains/v1/names', '/certificates/issued'];
    let asked = 0;
    const from = Date.now();
    // So many requests a second that the lines have a shape.
    const load = async () => {
      for (; Date.now() - from < 130_000; asked += 1) {
        const pause = 8 + 30 * Math.abs(Math.sin((Date.now() - from) / 15_000));
        await Promise.all(paths.slice(0, 1 + (asked % 3)).map((path) => gateway.ask(path)));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    };
    const loading = load();
    await eventually('two minutes have passed', async () => Date.now() - from > 120_000, 200_000);
    await page.goto(`${gateway.url}/status`);
    await page.locator('#live', { hasText: /^live/ }).waitFor();
    await page.locator('#service-certificates summary').click();
    await page.locator('#path').fill('/certificates/issued');
    await page.locator('#explain button').click();
    await page.locator('.explanation').waitFor();
    const box = await page.locator('.explanation').boundingBox();
    const clip = { x: 0, y: 0, width: viewport.width, height: (box?.y ?? 0) + (box?.height ?? 0) + 20 };
    await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true, clip });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: process.env.SCREENSHOT?.replace('.png', '-dark.png'), fullPage: true, clip });
    await loading;
    t.true(asked > 0);
  });
}
