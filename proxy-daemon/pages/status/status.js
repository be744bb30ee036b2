// Shows /status.json, read again every two seconds. What the registry says is only ever set as text, never as HTML.
const everyMs = 2000;
const staleAfterMs = 15_000;
const mostRoutes = 200;
let report = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== ''));
  return made;
}

function show(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}

function alertOf(title, text, kind = '') {
  return element('p', { class: `alert ${kind}` }, element('b', {}, title), text);
}

function alerts(trouble) {
  const found = [];
  if (trouble) found.push(alertOf('The status can not be read.', trouble, 'bad'));
  if (!report) return found;
  if (Date.now() - report.at > staleAfterMs) {
    found.push(
      alertOf('The proxy daemon is silent.', `It last wrote ${ago(report.at)}; nginx serves what it last got.`, 'bad'),
    );
  }
  if (report.problem) found.push(alertOf('Not served as it should be.', report.problem, 'bad'));
  if (report.alarm) found.push(alertOf('Amiss.', report.alarm));
  if (!report.registry.connected)
    found.push(alertOf('The registry can not be read.', `${report.registry.reason} The last good routes stay.`));
  else if (report.holding) found.push(alertOf('Holding.', report.holding));
  for (const { path, problem } of report.foreign ?? [])
    if (problem) found.push(alertOf(`${path} can not be read.`, `${problem} What was read before stays.`));
  return found;
}

function tiles() {
  const instances = report.routes.flatMap((route) => route.instances);
  const count = (...states) => instances.filter(({ state }) => states.includes(state)).length;
  const last = report.publications.at(-1);
  const rows = [
    ['generation served', report.served.generation],
    ['routes', report.routes.length],
    ['instances routed', count('routed', 'held')],
    ['draining', count('draining')],
    ['left out', report.rejected.length],
    ['operations', report.document.operations],
    ['last change took', last ? `${Math.round(last.ownMs + last.testMs + last.switchMs)} ms` : '–'],
  ];
  return rows.map(([name, value]) =>
    element('div', { class: 'tile' }, element('span', {}, name), element('strong', {}, String(value))),
  );
}

const stateKinds = { routed: 'good', held: 'warn', lost: 'bad', draining: 'warn', idle: '' };
const stateTexts = { held: 'held: vanished, still answers', lost: 'lost: vanished, does not answer', idle: 'weight 0' };

function table(heads, rows) {
  const head = element(
    'tr',
    {},
    ...heads.map((name) => element('th', name.endsWith('#') ? { class: 'number' } : {}, name.replace('#', ''))),
  );
  const body = rows.map((cells) =>
    element(
      'tr',
      {},
      ...cells.map((cell, index) => element('td', { class: heads[index].endsWith('#') ? 'number' : 'wide' }, cell)),
    ),
  );
  return element('table', {}, element('thead', {}, head), element('tbody', {}, ...body));
}

function code(text) {
  return element('code', {}, text);
}

function badge(text, kind = '') {
  return element('span', { class: `badge ${kind}` }, text);
}

function percent(share) {
  return `${Number((share * 100).toFixed(1))} %`;
}

function routeCard(route) {
  const total = route.instances.reduce((sum, { weight }) => sum + weight, 0);
  const split = route.versions.filter(({ share }) => share > 0);
  const top = element('div', { class: 'top' }, code(route.prefix), element('span', {}, route.service));
  if (!route.declared) top.append(badge('not declared'));
  if (total === 0) top.append(badge('no live instance', 'bad'));
  const shares = split.map(({ version, share }) => `${version}: ${percent(share)}`).join(' · ');
  top.append(element('span', { class: 'share' }, shares));
  const card = element('div', { class: 'card' }, top);
  if (split.length > 1) {
    const bar = element('div', { class: 'bar' });
    for (const { version, share } of split) {
      const part = element('i', { title: `${version}: ${percent(share)}` });
      part.style.width = `${share * 100}%`;
      bar.append(part);
    }
    card.append(bar);
  }
  if (route.holding) card.append(element('p', { class: 'note' }, route.holding));
  const rows = route.instances.map((one) => [
    one.version,
    code(one.address.includes(':') ? `[${one.address}]:${one.port}` : `${one.address}:${one.port}`),
    one.dialect ? element('span', {}, code(one.machine), ' ', badge(one.dialect)) : code(one.machine),
    badge(one.says || (stateTexts[one.state] ?? one.state), stateKinds[one.state] ?? ''),
    one.weight > 0 ? percent(one.weight / total) : '–',
  ]);
  if (rows.length > 0) card.append(table(['version', 'address', 'machine', 'state', 'share#'], rows));
  return card;
}

function routes() {
  const wanted = document.getElementById('filter').value.trim().toLowerCase();
  const text = (route) =>
    [route.prefix, route.service, ...route.instances.flatMap((one) => [one.version, one.address, one.machine])].join(
      ' ',
    );
  const found = [...report.routes]
    .sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
    .filter((route) => text(route).toLowerCase().includes(wanted));
  const cards = found.slice(0, mostRoutes).map(routeCard);
  if (found.length === 0)
    cards.push(
      element(
        'p',
        { class: 'soft' },
        report.routes.length === 0 ? 'Nothing is registered or declared yet.' : 'No route matches.',
      ),
    );
  if (found.length > mostRoutes)
    cards.push(element('p', { class: 'soft' }, `${found.length - mostRoutes} more: use the filter.`));
  return cards;
}

function section(title, heads, rows) {
  if (rows.length === 0) return [];
  return [
    element('div', { class: 'heading' }, element('h2', {}, title)),
    element('div', { class: 'card' }, table(heads, rows)),
  ];
}

function rejected() {
  return section(
    'Left out',
    ['node', 'why'],
    report.rejected.map(({ path, reason }) => [code(path), reason]),
  );
}

function documents() {
  const kinds = { fresh: 'good', stale: 'warn', missing: 'bad' };
  const rows = report.document.sources.map((source) => [
    `${source.service} ${source.version}`,
    badge(source.state, kinds[source.state]),
    source.readAt ? ago(source.readAt) : 'never',
    source.from ? code(source.from) : '',
    source.problem,
  ]);
  return section('Sources of the document', ['service', 'state', 'read', 'from', 'problem'], rows);
}

function publications() {
  const ms = (value) => `${value.toFixed(1)} ms`;
  const rows = [...report.publications]
    .reverse()
    .map((one) => [
      String(one.generation),
      ago(one.at),
      ms(one.waitedMs),
      ms(one.ownMs),
      ms(one.testMs),
      ms(one.switchMs),
    ]);
  return section('Generations', ['generation', 'served', 'waited#', 'daemon#', 'nginx -t#', 'switch#'], rows);
}

function draw(trouble) {
  show('alerts', ...alerts(trouble));
  if (!report) return;
  document.title = `Gateway ${report.gateway}`;
  show('gateway', report.gateway);
  const declared = report.environment
    ? `environment ${report.environment.name}, generation ${report.environment.generation}`
    : 'no environment declared';
  show(
    'subtitle',
    `${report.url} · ${report.mode} mode (${report.modeReason}) · ${declared} · daemon started ${ago(report.startedAt)} · written ${ago(report.at)}`,
  );
  show('tiles', ...tiles());
  show('routes', ...routes());
  show('rejected', ...rejected());
  show('documents', ...documents());
  show('publications', ...publications());
}

async function refresh() {
  try {
    const response = await fetch('/status.json', { cache: 'no-store' });
    if (!response.ok) throw new Error(`/status.json answers ${response.status}`);
    report = await response.json();
    draw('');
  } catch (error) {
    draw(error.message);
  }
}

document.getElementById('filter').addEventListener('input', () => report && show('routes', ...routes()));
void refresh();
setInterval(refresh, everyMs);
