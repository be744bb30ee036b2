// What /status/explain answers, as people read it.
import { percent, span } from './figures.js';
import { badge, code, table } from './services.js';
import { h } from './tree.js';

const chances = { yes: 'good', seldom: 'warn', last: 'warn', no: 'bad' };

function list(title, lines) {
  return lines.length === 0
    ? ''
    : [
        h('h3', null, title),
        h(
          'ul',
          null,
          lines.map((line) => h('li', null, line)),
        ),
      ];
}

function instanceRow({ version, endpoint, state, inFlight, chance, why }) {
  return h(
    'tr',
    null,
    h('td', null, badge(chance, chances[chance])),
    h('td', null, version),
    h('td', null, code(endpoint)),
    h('td', null, state),
    h('td', { class: 'number' }, inFlight === null ? '–' : String(inFlight)),
    h('td', { class: 'wide' }, why),
  );
}

export function explanation(told) {
  if (told.error) return h('p', { class: 'alert bad' }, h('b', null, told.error.message), ' ', told.error.hint ?? '');
  const { outcome, route, tries } = told;
  const status = outcome.status === null ? '' : ` ${outcome.status}`;
  return h(
    'div',
    { class: 'card explanation' },
    h(
      'p',
      null,
      badge(`${outcome.kind}${status}`, outcome.kind === 'refused' ? 'bad' : 'good'),
      ' ',
      `${told.method} ${told.asked}: ${outcome.why}`,
    ),
    list('Route', [
      ...(route === null
        ? []
        : [`${route.prefix} of ${route.service}${route.rest === null ? '' : `; instances see ${route.rest}`}`]),
      ...told.passedOver.map((one) => `not ${one.prefix} of ${one.service}: ${one.why}`),
    ]),
    list('Door', told.door),
    list(
      'Versions',
      told.versions.map((one) => `${one.version}, ${percent(one.share)}: ${one.why}`),
    ),
    list('Choice of the version', told.choice),
    told.instances.length === 0
      ? ''
      : [
          h('h3', null, 'Instances'),
          table(
            'Instances by chance',
            ['chosen', 'version', 'address', 'state', 'in flight#', 'why'],
            told.instances.map(instanceRow),
          ),
        ],
    list(
      'Left out',
      told.leftOut.map((one) => `${one.path}: ${one.reason}`),
    ),
    tries === null
      ? ''
      : list('Tries', [
          `at most ${tries.most}, when ${tries.when}`,
          `connect ${span(tries.connectMs)}, send ${span(tries.sendMs)}, read ${span(tries.readMs)}; marked down for ${span(tries.markDownMs)}`,
        ]),
    list('To know', told.notes),
  );
}
