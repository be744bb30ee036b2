// The table of services: one row each, its versions and instances folded below.
import { bytes, milliseconds, percent, perSecond, shareBar, sparkline } from './figures.js';
import { h } from './tree.js';

const stateKinds = { routed: 'good', held: 'warn', lost: 'bad', draining: 'warn', idle: '' };
const stateWords = {
  routed: 'serves',
  held: 'held: vanished, still answers',
  lost: 'lost: vanished, does not answer',
  draining: 'draining',
  idle: 'weight 0',
};
const mostInstances = 100;

export function badge(text, kind = '') {
  return h('span', { class: `badge ${kind}` }, text);
}

export function code(text) {
  return h('code', null, text);
}

export function endpointOf({ address, port }) {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function countOf({ instances }, ...states) {
  return instances.filter(({ state }) => states.includes(state)).length;
}

/** What is amiss with a route, the worst first; empty where nothing is. */
export function troubles(route, downs, recent) {
  const live = countOf(route, 'routed', 'held');
  const found = [];
  if (live === 0) found.push(['no live instance', 'bad']);
  for (const state of ['lost', 'held', 'draining']) {
    const count = countOf(route, state);
    if (count > 0) found.push([`${count} ${state}`, stateKinds[state]]);
  }
  const down = route.instances.filter((one) => one.weight > 0 && downs.has(endpointOf(one))).length;
  if (down > 0) found.push([`${down} marked down`, 'bad']);
  if (recent && recent.errors >= 0.01) found.push([`${percent(recent.errors)} errors`, 'bad']);
  return found;
}

function doorBadges(door) {
  if (!door) return [];
  const { closed, apiKeys, users, clientCertificate, rate, bodyBytes, origins, operations } = door;
  return [
    closed ? badge('door closed', 'bad') : '',
    apiKeys ? badge('API keys') : '',
    users ? badge('users') : '',
    clientCertificate ? badge(`certificate ${clientCertificate}`) : '',
    rate ? badge(`${rate.requests}/${rate.per}`) : '',
    bodyBytes === null ? '' : badge(`≤ ${bytes(bodyBytes)}`),
    origins ? badge('CORS') : '',
    operations.length > 0 ? badge(`${operations.length} by operation`) : '',
  ].filter((one) => one !== '');
}

function versionWords({ version, share, weight }, several) {
  if (!several) return version;
  const isShare = weight === null || percent(share) === percent(weight / 100);
  return `${version} ${percent(share)}${isShare ? '' : ` (weight ${weight})`}`;
}

function instanceRow(one, route, total, { traffic, flying, down }) {
  const endpoint = endpointOf(one);
  const isDown = one.weight > 0 && down.has(endpoint);
  return h(
    'tr',
    null,
    h('td', null, one.version),
    h('td', null, code(endpoint)),
    h('td', { class: 'wide' }, code(one.machine), one.dialect ? [' ', badge(one.dialect)] : ''),
    h(
      'td',
      null,
      badge(one.says || (stateWords[one.state] ?? one.state), one.says ? 'warn' : (stateKinds[one.state] ?? '')),
      isDown ? [' ', badge('marked down', 'bad')] : '',
    ),
    h('td', { class: 'number' }, traffic.since > 0 ? String(flying.get(`${route.service} ${endpoint}`) ?? 0) : '–'),
    h('td', { class: 'number' }, one.weight > 0 ? percent(one.weight / total) : '–'),
  );
}

export function table(caption, heads, rows) {
  const head = heads.map((name) =>
    h('th', { scope: 'col', ...(name.endsWith('#') ? { class: 'number' } : {}) }, name.replace('#', '')),
  );
  return h(
    'table',
    null,
    h('caption', { class: 'unseen' }, caption),
    h('thead', null, h('tr', null, head)),
    h('tbody', null, rows),
  );
}

function versionRow({ version, share, weight }, figures) {
  const recent = figures?.versions[version];
  return h(
    'tr',
    null,
    h('td', null, version),
    h('td', { class: 'number' }, weight === null ? '–' : String(weight)),
    h('td', { class: 'number' }, percent(share)),
    h('td', { class: 'number' }, recent ? perSecond(recent.rate) : '–'),
    h('td', { class: 'number' }, recent ? percent(recent.errors) : '–'),
    h('td', { class: 'number' }, milliseconds(recent?.p50)),
    h('td', { class: 'number' }, milliseconds(recent?.p99)),
  );
}

/** What came of copies of requests, by the version that got them. */
function mirrorNotes(service, { versions }) {
  return versions
    .filter((one) => one.service === service && one.mirrored)
    .map(({ version, mirrored }) => {
      const { same, differing, failed, leftOut, conforming, deviating, example } = mirrored;
      const compared = conforming + deviating;
      const bodies = compared === 0 ? '' : ` Of ${compared} bodies compared ${deviating} had another shape.`;
      const last = example
        ? ` The last one: ${example.operation} ${example.status}, ${example.where || 'the whole body'}: ${example.found}, where ${example.against} has ${example.expected}.`
        : '';
      return h(
        'p',
        { class: 'note' },
        `Mirrored to ${version}: ${same} answered by the same status, ${differing} by another, ${failed} not at all, ${leftOut} not sent.${bodies}${last}`,
      );
    });
}

/** Versions and instances of a service. */
function serviceDetails(route, world) {
  const figures = world.rates.services[route.service];
  const rollout = world.rollouts.get(route.service);
  const total = route.instances.reduce((sum, { weight }) => sum + weight, 0);
  const shown = route.instances.slice(0, mostInstances);
  const more = route.instances.length - shown.length;
  return [
    route.holding ? h('p', { class: 'note' }, route.holding) : '',
    rollout
      ? h('p', { class: 'note' }, `Rollout ${rollout.from.join(', ')} → ${rollout.to.join(', ')}: ${rollout.phase}.`)
      : '',
    ...mirrorNotes(route.service, world.traffic),
    table(
      `Versions of ${route.service}`,
      ['version', 'weight#', 'share#', 'requests#', 'errors#', 'p50#', 'p99#'],
      route.versions.map((one) => versionRow(one, figures)),
    ),
    table(
      `Instances of ${route.service}`,
      ['version', 'address', 'machine', 'state', 'in flight#', 'share#'],
      shown.map((one) => instanceRow(one, route, total, world)),
    ),
    more > 0 ? h('p', { class: 'soft' }, `${more} more are in status.json.`) : '',
  ];
}

/** `isOpen`: null where that is the reader's alone, as without JavaScript; then all is there. */
export function serviceBody(route, world, isOpen) {
  const { traffic, rates, doors, down } = world;
  const figures = rates.services[route.service];
  const recent = figures?.recent;
  const live = countOf(route, 'routed', 'held');
  const split = route.versions.filter(({ share }) => share > 0);
  const flying = world.ofService.get(route.service) ?? 0;
  const counts = traffic.since > 0;
  const rollout = world.rollouts.get(route.service);
  return h(
    'tbody',
    { id: `service-${route.service}` },
    h(
      'tr',
      { class: 'service' },
      h(
        'th',
        { scope: 'row' },
        code(route.prefix),
        route.prefix === `/${route.service}` ? '' : h('div', { class: 'name' }, route.service),
        route.declared ? '' : h('div', null, badge('not declared')),
      ),
      h(
        'td',
        { class: 'versions' },
        (split.length > 0 ? split : route.versions.slice(0, 1)).map((one) =>
          h('div', null, versionWords(one, split.length > 1)),
        ),
        split.length > 1 ? shareBar(split) : '',
      ),
      h(
        'td',
        { class: 'badges' },
        live > 0 ? badge(`${live} live`, 'good') : '',
        troubles(route, down, recent).map(([words, kind]) => badge(words, kind)),
        rollout && rollout.phase !== 'done' ? badge(`rollout ${rollout.phase}`, 'warn') : '',
        doorBadges(doors.get(route.service)),
      ),
      h('td', { class: 'number' }, counts ? String(flying) : '–'),
      h('td', { class: 'number' }, recent ? perSecond(recent.rate) : counts ? '0 /s' : '–'),
      h(
        'td',
        { class: 'chart' },
        figures ? sparkline(figures.rates, `requests a second of ${route.service}, last minutes`) : '',
      ),
      h('td', { class: `number ${recent?.errors >= 0.01 ? 'bad' : ''}` }, recent ? percent(recent.errors) : '–'),
      h('td', { class: 'number' }, milliseconds(recent?.p50)),
      h('td', { class: 'number' }, milliseconds(recent?.p99)),
    ),
    h(
      'tr',
      { class: 'fold' },
      h(
        'td',
        { colspan: 9 },
        h(
          'details',
          { 'data-service': route.service },
          h('summary', null, `${route.instances.length} instance${route.instances.length === 1 ? '' : 's'}`),
          isOpen === false ? '' : h('div', { class: 'inner' }, serviceDetails(route, world)),
        ),
      ),
    ),
  );
}
