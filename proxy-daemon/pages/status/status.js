// Keeps the page current: asks for the gateway's files every two seconds while somebody looks, and draws what changed.
import { fill } from './dom.js';
import { explanation } from './explanation.js';
import { clockTime } from './figures.js';
import { serviceBody } from './services.js';
import { h } from './tree.js';
import {
  alerts,
  chosen,
  documents,
  noRates,
  noTraffic,
  publications,
  rejected,
  services,
  silence,
  subtitle,
  tiles,
  worldOf,
} from './view.js';

const everyMs = 2000;
const withinMs = 8000;
const servicesOnPage = 50;
const byId = (id) => document.getElementById(id);

/** Files with their ETags, so that what did not change is not sent again. */
const files = {
  status: { url: '/status.json', etag: '', value: null },
  traffic: { url: '/status/traffic.json', etag: '', value: noTraffic },
  rates: { url: '/status/rates.json', etag: '', value: noRates },
};
const state = { page: 0, trouble: '', readAt: null, timer: 0, busy: false };

async function read(file) {
  const headers = file.etag === '' ? {} : { 'If-None-Match': file.etag };
  const response = await fetch(file.url, { cache: 'no-store', headers, signal: AbortSignal.timeout(withinMs) });
  if (response.status === 304) return;
  // Written by the daemon only once it has counted.
  if (response.status === 404 && file !== files.status) return;
  if (!response.ok) throw new Error(`${file.url} answers ${response.status}.`);
  file.value = await response.json();
  file.etag = response.headers.get('ETag') ?? '';
}

function isOpen(service) {
  return byId(`service-${service}`)?.querySelector('details')?.open === true;
}

function drawPages(all) {
  const pages = Math.ceil(all.length / servicesOnPage);
  if (pages <= 1) return fill(byId('pages'), []);
  const button = (words, to, label) =>
    h(
      'button',
      { type: 'button', 'data-page': to, 'aria-label': label, ...(to < 0 || to >= pages ? { disabled: '' } : {}) },
      words,
    );
  const first = state.page * servicesOnPage;
  const words = `${first + 1} to ${Math.min(all.length, first + servicesOnPage)} of ${all.length}`;
  fill(byId('pages'), [
    button('←', state.page - 1, 'Page before'),
    h('span', null, words),
    button('→', state.page + 1, 'Next page'),
  ]);
}

function world() {
  return worldOf(files.status.value, files.traffic.value, files.rates.value, Date.now());
}

function drawServices(now) {
  const all = chosen(now, { filter: byId('filter').value, order: byId('order').value });
  state.page = Math.max(0, Math.min(state.page, Math.ceil(all.length / servicesOnPage) - 1));
  const first = state.page * servicesOnPage;
  const shown = all.slice(first, first + servicesOnPage);
  const bodies = shown.map((route) => serviceBody(route, now, isOpen(route.service)));
  fill(byId('services'), [services(now, shown, bodies)]);
  drawPages(all);
}

function draw() {
  const silent = state.trouble === '' ? [] : [silence(state.trouble, state.readAt)];
  byId('live').textContent =
    state.trouble === '' ? `live · ${clockTime(state.readAt ?? Date.now()).slice(11)}` : 'not live';
  if (files.status.value === null) return fill(byId('alerts'), silent);
  const now = world();
  fill(byId('alerts'), state.trouble === '' ? alerts(now) : silent);
  if (state.trouble !== '') return undefined;
  document.title = `Gateway ${now.status.gateway}`;
  byId('gateway').textContent = now.status.gateway;
  byId('subtitle').textContent = subtitle(now);
  fill(byId('tiles'), [tiles(now)]);
  drawServices(now);
  fill(byId('rejected'), rejected(now));
  fill(byId('documents'), documents(now));
  return fill(byId('publications'), publications(now));
}

/** Asks and draws, then again in two seconds; nothing while nobody looks. */
async function look() {
  clearTimeout(state.timer);
  if (document.hidden || state.busy) return;
  state.busy = true;
  try {
    await Promise.all(Object.values(files).map(read));
    state.trouble = '';
    state.readAt = Date.now();
  } catch (error) {
    const isMute = error.name === 'TimeoutError' || error instanceof TypeError;
    state.trouble = isMute ? 'No answer came.' : error.message;
  }
  state.busy = false;
  draw();
  state.timer = setTimeout(look, everyMs);
}

async function explain(form) {
  const query = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(`/status/explain?${query}`, {
      cache: 'no-store',
      signal: AbortSignal.timeout(withinMs),
    });
    fill(byId('explanation'), [explanation(await response.json())]);
  } catch {
    fill(byId('explanation'), [explanation({ error: { message: 'The gateway does not answer.' } })]);
  }
}

byId('controls').hidden = false;
for (const id of ['filter', 'order'])
  byId(id).addEventListener('input', () => {
    state.page = 0;
    if (files.status.value) drawServices(world());
  });
byId('pages').addEventListener('click', ({ target }) => {
  const to = target.closest('button')?.dataset.page;
  if (to === undefined || files.status.value === null) return;
  state.page = Number(to);
  drawServices(world());
});
// Does not bubble, so it is caught on its way down.
byId('services').addEventListener('toggle', () => files.status.value && drawServices(world()), true);
byId('explain').addEventListener('submit', (event) => {
  event.preventDefault();
  void explain(event.target);
});
document.addEventListener('visibilitychange', () => void look());
void look();
