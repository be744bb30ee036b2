// The whole page but for what the reader does with it, from what the gateway's files say.
import { ago, clockTime, milliseconds, percent, perSecond, sparkline } from './figures.js';
import { badge, code, table, troubles } from './services.js';
import { h } from './tree.js';

const staleAfterMs = 15_000;
const dayMs = 86_400_000;

export const noTraffic = { at: 0, since: 0, versions: [], inFlight: [], down: [], uncounted: 0 };
export const noRates = { at: 0, seconds: 0, total: { rates: [], recent: null }, services: {} };

/** `status`, `traffic` and `rates` are status.json, traffic.json and rates.json. `now`: ms since the Unix epoch. */
export function worldOf(status, traffic, rates, now) {
  const flying = new Map();
  const ofService = new Map();
  for (const { service, endpoint, requests } of traffic.inFlight) {
    flying.set(`${service} ${endpoint}`, requests);
    ofService.set(service, (ofService.get(service) ?? 0) + requests);
  }
  return {
    ...{ status, traffic, rates, now, flying, ofService },
    down: new Set(traffic.down),
    doors: new Map((status.doors ?? []).map((one) => [one.service, one])),
    rollouts: new Map((status.rollouts ?? []).map((one) => [one.service, one])),
  };
}

export function subtitle({ status, now }) {
  const declared = status.environment
    ? `environment ${status.environment.name}, generation ${status.environment.generation}`
    : 'no environment declared';
  return `${status.url} · ${status.mode} mode (${status.modeReason}) · ${declared} · daemon started ${ago(status.startedAt, now)}`;
}

function alert(title, text, kind = '') {
  return h('p', { class: `alert ${kind}` }, h('b', null, title), ' ', text);
}

export function silence(reason, since) {
  const shown = since === null ? 'Nothing was read yet.' : `Shown is how it was at ${clockTime(since)}.`;
  return alert('The gateway does not answer.', `${reason} ${shown} It is asked again and again.`, 'bad');
}

export function alerts({ status, traffic, now }) {
  const found = [];
  if (now - status.at > staleAfterMs)
    found.push(
      alert(
        'The proxy daemon is silent.',
        `It last wrote ${ago(status.at, now)}; nginx serves what it last got.`,
        'bad',
      ),
    );
  if (status.problem) found.push(alert('Not served as it should be.', status.problem, 'bad'));
  if (status.alarm) found.push(alert('Amiss.', status.alarm));
  if (!status.registry.connected)
    found.push(alert('The registry can not be read.', `${status.registry.reason} The last good routes stay.`));
  else if (status.holding) found.push(alert('Holding.', status.holding));
  for (const { path, problem } of status.foreign ?? [])
    if (problem) found.push(alert(`${path} can not be read.`, `${problem} What was read before stays.`));
  if (traffic.uncounted > 0) found.push(alert('Counts are missing.', `${traffic.uncounted} found no room in memory.`));
  return found;
}

function tile(name, value, kind = '', more = '') {
  return h('div', { class: `tile ${kind}` }, h('dt', null, name), h('dd', null, h('strong', null, value), more));
}

function instanceTiles(routes) {
  const count = (state) =>
    routes.reduce((sum, { instances }) => sum + instances.filter((one) => one.state === state).length, 0);
  const [held, lost, draining] = ['held', 'lost', 'draining'].map(count);
  return [
    tile('instances', String(count('routed') + held)),
    held > 0 ? tile('held', String(held), 'warn') : '',
    lost > 0 ? tile('lost', String(lost), 'bad') : '',
    tile('draining', String(draining), draining > 0 ? 'warn' : ''),
  ];
}

function trafficTiles({ traffic, rates }) {
  if (traffic.since === 0) return [tile('requests', '–', '', h('small', null, 'plain mode counts none'))];
  const { recent, rates: line } = rates.total;
  const flying = traffic.inFlight.reduce((sum, { requests }) => sum + requests, 0);
  return [
    tile('requests', perSecond(recent?.rate ?? 0), 'large', sparkline(line, 'requests a second, last minutes', true)),
    tile('errors (5xx)', recent ? percent(recent.errors) : '–', recent?.errors >= 0.01 ? 'bad' : ''),
    tile('p50', milliseconds(recent?.p50)),
    tile('p99', milliseconds(recent?.p99)),
    tile('in flight', String(flying)),
    tile('marked down', String(traffic.down.length), traffic.down.length > 0 ? 'bad' : ''),
  ];
}

function certificateTile({ tls }, now) {
  if (!tls) return '';
  const days = Math.floor((tls.notAfter - now) / dayMs);
  const until = h('small', null, `until ${clockTime(tls.notAfter).slice(0, 10)}`);
  return tile('certificate', days === 1 ? '1 day' : `${days} days`, days < 14 ? 'bad' : '', until);
}

export function tiles(world) {
  const { status, now } = world;
  return h(
    'dl',
    { class: 'tiles' },
    trafficTiles(world),
    tile('services', String(status.routes.length)),
    instanceTiles(status.routes),
    tile('generation', String(status.served.generation)),
    tile('nginx reloads', String(status.reloads ?? 0)),
    tile('left out', String(status.rejected.length), status.rejected.length > 0 ? 'warn' : ''),
    tile('operations', String(status.document.operations)),
    certificateTile(status, now),
  );
}

/** So that 10 comes after 9. */
const byName = new Intl.Collator('en', { numeric: true });
const heads = ['service', 'versions', 'state', 'in flight#', 'requests#', 'last minutes', 'errors#', 'p50#', 'p99#'];

const orders = {
  route: () => 0,
  requests: (a, b) => b.rate - a.rate,
  errors: (a, b) => b.errors - a.errors,
  trouble: (a, b) => b.trouble - a.trouble,
};

function textOf(route) {
  return [route.prefix, route.service, ...route.instances.flatMap((one) => [one.version, one.address, one.machine])]
    .join(' ')
    .toLowerCase();
}

const sorted = new WeakMap();

/** Lists of routes never change. */
function byRoute(routes) {
  const known = sorted.get(routes) ?? routes.toSorted((a, b) => byName.compare(a.prefix, b.prefix));
  sorted.set(routes, known);
  return known;
}

/** Routes in the order that is asked for, those that hold all words of the filter. */
export function chosen({ status, down, rates }, { filter, order }) {
  if (filter === '' && order === 'route') return byRoute(status.routes);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = status.routes.filter(
    (route) => words.length === 0 || words.every((word) => textOf(route).includes(word)),
  );
  const ranked = found.map((route) => {
    const recent = rates.services[route.service]?.recent;
    const bad = order === 'trouble' ? troubles(route, down, recent).filter(([, kind]) => kind !== '').length : 0;
    return { route, rate: recent?.rate ?? 0, errors: recent?.errors ?? 0, trouble: bad };
  });
  return ranked
    .sort((a, b) => orders[order](a, b) || byName.compare(a.route.prefix, b.route.prefix))
    .map(({ route }) => route);
}

/** `bodies`: of these routes, see serviceBody. */
export function services(world, routes, bodies) {
  const head = heads.map((name) =>
    h('th', { scope: 'col', ...(name.endsWith('#') ? { class: 'number' } : {}) }, name.replace('#', '')),
  );
  if (routes.length === 0) {
    const none = world.status.routes.length === 0 ? 'Nothing is registered or declared yet.' : 'No service matches.';
    return h('p', { class: 'soft' }, none);
  }
  return h(
    'div',
    { class: 'card scrolls', tabindex: 0, role: 'region', 'aria-label': 'Services' },
    h(
      'table',
      { class: 'services' },
      h('caption', { class: 'unseen' }, 'Services by route'),
      h('thead', null, h('tr', null, head)),
      bodies,
    ),
  );
}

function section(title, caption, columns, rows) {
  if (rows.length === 0) return [];
  const cells = rows.map((row) =>
    h(
      'tr',
      null,
      row.map((cell, at) => h('td', { class: columns[at].endsWith('#') ? 'number' : 'wide' }, cell)),
    ),
  );
  return [h('h2', null, title), h('div', { class: 'card scrolls' }, table(caption, columns, cells))];
}

export function rejected({ status }) {
  const rows = status.rejected.map(({ path, reason }) => [code(path), reason]);
  return section('Left out (quarantined)', 'Registrations that are not believed', ['node', 'why'], rows);
}

export function documents({ status, now }) {
  const kinds = { fresh: 'good', stale: 'warn', missing: 'bad' };
  const all = status.document.sources;
  const amiss = all.filter(({ state }) => state !== 'fresh');
  const rows = (amiss.length > 0 || all.length > 20 ? amiss : all).map((source) => [
    `${source.service} ${source.version}`,
    badge(source.state, kinds[source.state]),
    source.readAt ? ago(source.readAt, now) : 'never',
    source.from ? code(source.from) : '',
    source.problem,
  ]);
  return section(
    'Sources of the document',
    'Documents of services',
    ['service', 'state', 'read', 'from', 'problem'],
    rows,
  );
}

export function publications({ status, now }) {
  const ms = (value) => `${value.toFixed(1)} ms`;
  const rows = [...status.publications]
    .reverse()
    .slice(0, 8)
    .map((one) => [
      String(one.generation),
      ago(one.at, now),
      ms(one.waitedMs),
      ms(one.ownMs),
      ms(one.testMs),
      ms(one.switchMs),
    ]);
  const columns = ['generation', 'served', 'waited#', 'daemon#', 'nginx -t#', 'switch#'];
  return section('Generations', 'The last changes', columns, rows);
}
