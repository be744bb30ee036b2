// The first rendering of the page, as the daemon writes it: all of it can be read without JavaScript.
import { clockTime } from './figures.js';
import { serviceBody } from './services.js';
import { h, toHtml } from './tree.js';
import { alerts, chosen, documents, publications, rejected, services, subtitle, tiles, worldOf } from './view.js';

/** Services in the first rendering. */
const mostAtFirst = 100;
const mark = h('mark', { id: 'services-here' });
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

function controls() {
  const orders = { route: 'route', requests: 'requests', errors: 'errors', trouble: 'trouble' };
  return h(
    'div',
    { class: 'controls', id: 'controls', hidden: '' },
    h('label', { for: 'filter' }, 'Filter'),
    h('input', { id: 'filter', type: 'search', placeholder: 'route, service, version, machine, address' }),
    h('label', { for: 'order' }, 'Sort by'),
    h(
      'select',
      { id: 'order' },
      Object.entries(orders).map(([value, words]) => h('option', { value }, words)),
    ),
  );
}

function explainForm() {
  return h(
    'form',
    { id: 'explain', action: '/status/explain', method: 'get' },
    h('label', { for: 'method' }, 'Where would'),
    h(
      'select',
      { id: 'method', name: 'method', 'aria-label': 'Method' },
      methods.map((name) => h('option', null, name)),
    ),
    h('input', {
      id: 'path',
      name: 'path',
      required: '',
      pattern: '/.*',
      placeholder: '/dns/zones',
      'aria-label': 'Path',
    }),
    h('button', { type: 'submit' }, 'go, and why?'),
  );
}

/** The main part, with a mark where the services are. */
function main(world, more) {
  return h(
    'main',
    null,
    h('section', { id: 'alerts', 'aria-live': 'polite' }, alerts(world)),
    h('section', { id: 'tiles', 'aria-label': 'In short' }, tiles(world)),
    h(
      'section',
      { 'aria-labelledby': 'services-title' },
      h('div', { class: 'heading' }, h('h2', { id: 'services-title' }, 'Services'), controls()),
      h('div', { id: 'services' }, mark),
      h('nav', { id: 'pages', 'aria-label': 'Pages of services' }, more > 0 ? `${more} more: see status.json.` : ''),
    ),
    h(
      'section',
      { 'aria-labelledby': 'explain-title' },
      h('div', { class: 'heading' }, h('h2', { id: 'explain-title' }, 'Explain a request'), explainForm()),
      h('div', { id: 'explanation', 'aria-live': 'polite' }),
    ),
    h('section', { id: 'rejected' }, rejected(world)),
    h('section', { id: 'documents' }, documents(world)),
    h('section', { id: 'publications' }, publications(world)),
  );
}

/** In parts, one for each service: so it can be made beside other work. */
export function* pageHtml(given) {
  const { status, traffic, rates, now } = given;
  const world = worldOf(status, traffic, rates, now);
  const all = chosen(world, { filter: '', order: 'route' });
  yield '<!doctype html>\n';
  const table = toHtml(services(world, all.slice(0, 1), mark));
  const head = h(
    'head',
    null,
    h('meta', { charset: 'utf-8' }),
    h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    h('title', null, `Gateway ${status.gateway}`),
    h('link', { rel: 'icon', href: 'data:,' }),
    h('link', { rel: 'stylesheet', href: '/status/status.css' }),
    h('script', { type: 'module', src: '/status/status.js' }),
  );
  const header = h(
    'header',
    null,
    h(
      'div',
      null,
      h('h1', null, 'Gateway ', h('span', { id: 'gateway' }, status.gateway)),
      h('p', { id: 'subtitle' }, subtitle(world)),
    ),
    h(
      'nav',
      { 'aria-label': 'Elsewhere' },
      h('span', { id: 'live' }, `as of ${clockTime(now)}`),
      h('a', { href: '/docs/' }, 'API documentation'),
      h('a', { href: '/status.json' }, 'status.json'),
    ),
  );
  const html = toHtml(h('html', { lang: 'en' }, head, h('body', null, header, main(world, all.length - mostAtFirst))));
  // No text is a mark: its signs are escaped there.
  const [before, after] = html.split(toHtml(mark));
  // Where there is no service, the table is words without a mark.
  const [opened, closed = ''] = table.split(toHtml(mark));
  yield `${before}${opened}`;
  for (const route of all.slice(0, mostAtFirst)) yield toHtml(serviceBody(route, world, null));
  yield `${closed}${after}\n`;
}
