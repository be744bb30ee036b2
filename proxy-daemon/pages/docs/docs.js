// The gateway's own documents: all services, or at /docs/<service>/ one of them. Nothing is loaded from anywhere else, and texts of
// services are only ever set as text.

/** More operations than this make Swagger UI slow: they are shown when asked for. */
const manyOperations = 1500;

const [, , service = ''] = location.pathname.split('/');
const base = service === '' || service === 'index.html' ? '' : `/docs/${service}`;
const byId = (id) => document.getElementById(id);

byId('json').href = `${base}/openapi.json`;
byId('yaml').href = `${base}/openapi.yaml`;
if (base !== '') {
  byId('all').hidden = false;
  byId('title').textContent = service;
  document.title = `${service} - API documentation`;
}

function element(name, text = '', children = []) {
  const made = document.createElement(name);
  if (text !== '') made.textContent = text;
  made.append(...children);
  return made;
}

function row(...cells) {
  return element(
    'tr',
    '',
    cells.map((cell) => element('td', '', [cell].flat())),
  );
}

function listOf(texts) {
  return texts.length === 0
    ? ''
    : element(
        'ul',
        '',
        texts.map((text) => element('li', text)),
      );
}

function versionLabel({ version, stale, readAt, problem }) {
  const label = element('div', stale ? `${version} (stale since ${readAt}: ${problem})` : version);
  if (stale) label.className = 'stale';
  return label;
}

function leftOutText({ version, method, path, reason }) {
  return `left out: ${[version, method?.toUpperCase(), path].filter(Boolean).join(' ')}: ${reason}`;
}

/** All services on the common page, the one on its own page only where there is something to say of it. */
function showServices(services) {
  const shown = services.filter((one) => base === '' || one.service === service);
  const rows = shown.map(({ service: name, route, title, operations, versions, leftOut }) => {
    const link = element('a', name);
    link.href = `/docs/${name}/`;
    const notes = [
      ...leftOut.map(leftOutText),
      ...versions.flatMap(({ notes: repairs = [] }) => repairs.map((note) => `repaired: ${note}`)),
    ];
    return row(
      [link, element('div', title)],
      element('code', route),
      versions.map(versionLabel),
      `${operations}`,
      listOf(notes),
    );
  });
  byId('services')
    .querySelector('tbody')
    .replaceChildren(...rows);
  byId('services').hidden = rows.length === 0;
}

function operationsOf(spec) {
  return Object.entries(spec.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, operation]) => Array.isArray(operation?.['x-mcp-versions']))
      .map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        versions: operation['x-mcp-versions'],
      })),
  );
}

function otherVersion({ version, state, differs = [], details = [] }) {
  if (state === 'absent') {
    const absent = element('div', `${version}: not there`);
    absent.className = 'absent';
    return absent;
  }
  return element('div', '', [element('strong', `${version}: ${differs.join(', ')}`), listOf(details)]);
}

/** What callers of a service with several live versions must know: which operations are not the same in all of them. */
function showDifferences(spec) {
  const compared = operationsOf(spec);
  const differing = compared.filter(({ versions }) =>
    versions.some(({ state }) => state === 'absent' || state === 'differs'),
  );
  if (compared.length === 0) return;
  const section = byId('differences');
  const rows = differing.map(({ name, versions }) => {
    const shown = versions.find(({ state }) => state === 'shown');
    const others = versions.filter(({ state }) => state === 'absent' || state === 'differs');
    return row(element('code', name), shown?.version ?? '', others.map(otherVersion));
  });
  const same = compared.length - differing.length;
  section.querySelector('p').textContent =
    differing.length === 0
      ? `All ${same} operations are the same in all live versions.`
      : `${differing.length} of ${compared.length} operations of services with several live versions differ between these.`;
  section.querySelector('table').hidden = rows.length === 0;
  section.querySelector('tbody').replaceChildren(...rows);
  section.hidden = false;
}

function showDocument(spec) {
  byId('large').hidden = true;
  window.ui = window.SwaggerUIBundle({
    spec,
    dom_id: '#documentation',
    deepLinking: true,
    docExpansion: 'list',
    filter: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
    queryConfigEnabled: false,
  });
}

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function loadDocument() {
  const spec = await load(`${base}/openapi.json`);
  showDifferences(spec);
  showDocument(spec);
}

async function start() {
  const { services } = await load('/docs/services.json');
  showServices(services);
  const operations = services.reduce((sum, one) => sum + one.operations, 0);
  if (base !== '' || operations <= manyOperations) return loadDocument();
  const button = element('button', 'Show them all');
  button.onclick = () => loadDocument().catch(fail);
  byId('large').replaceChildren(`${operations} operations: choose a service above, or `, button);
  byId('large').hidden = false;
}

function fail(error) {
  byId('large').textContent = `The document can't be shown: ${error.message}`;
  byId('large').hidden = false;
}

start().catch(fail);
