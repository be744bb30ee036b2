/** Every bad environment file of the reliability list, and what is said about it. */
import test from 'ava';
import { complaints, parseText, problemsIn, withService, withVersion } from '../helpers/environment-text.ts';

const good =
  'environment: hosting\nservices:\n  dns:\n    versions:\n      1.0.0: { count: 1, command: [node], port: 80 }\n';
const two = (dns: string, domains: string) =>
  ['environment: e', 'services:', `  dns: ${dns}`, `  domains: ${domains}`, ''].join('\n');
const plain = 'versions: { 1.0.0: { count: 1, command: [node], port: 80 } }';
const count = (written: string) => withVersion(`{ count: ${written}, command: [node], port: 80 }`);

/** Title, content, and each complaint expected, whole: nothing else may be complained about. */
const table: [title: string, content: string | Uint8Array, ...expected: string[]][] = [
  [
    'a syntax error',
    'environment: hosting\nservices: { dns: {\n',
    '3:1 Flow map in block collection must be sufficiently indented and end with a }',
  ],
  ['a quote that never ends', 'environment: "hosting\n', '2:1 Missing closing "quote'],
  ['tabs as indentation', 'environment: e\nservices:\n\tdns: 1\n', '3:1 Tabs are not allowed as indentation'],
  ['a duplicate key', `${good}environment: other\n`, '6:1 duplicate key "environment"'],
  [
    'a service after one that is not there, after itself, and twice after one',
    two(`{ after: [domans, dns, domains, domains], ${plain} }`, `{ ${plain} }`),
    '3:18 there is no service "domans", did you mean "domains"?',
    "3:26 dns can't come after itself",
    '3:40 domains is named twice',
  ],
  [
    'a rollout that may have neither more nor fewer instances than declared',
    two(`{ rollout: { surge: 0 }, ${plain} }`, `{ rollout: { surge: 0%, unavailable: 0% }, ${plain} }`),
    '3:28 surge and unavailable are both 0: nothing could ever move (unavailable is 0 unless you say more)',
    '4:32 surge and unavailable are both 0: nothing could ever move',
  ],
  [
    'services that come after each other',
    two(`{ after: [domains], ${plain} }`, `{ after: [dns], ${plain} }`),
    '3:10 no order is possible: dns after domains after dns',
  ],
  [
    'an order without a service',
    two(`{ after: [], ${plain} }`, `{ ${plain} }`),
    '3:17 after must name at least one service',
  ],
  [
    'an order that is no list',
    two(`{ after: domains, ${plain} }`, `{ ${plain} }`),
    '3:17 after must be a list of service names, such as [dns], not the text "domains"',
  ],
  ['a duplicate service', `${good}  dns: { ${plain} }\n`, '6:3 duplicate key "dns"'],
  [
    'an unknown key',
    withVersion('{ cuont: 1, command: [node], port: 80 }'),
    '5:16 unknown key "cuont", did you mean "count"?',
  ],
  [
    'an unknown key unlike any other',
    'environment: e\nservices: {}\nzebra: 1\n',
    '3:1 unknown key "zebra"; known here: environment, pool, gateway, images, services',
  ],
  [
    'an unknown key in a step of an image',
    `${good}images: { web: { steps: [{ puppt: a.pp }] } }\n`,
    '6:26 steps[0] must have one of run, puppet and copy',
    '6:28 unknown key "puppt", did you mean "puppet"?',
  ],
  [
    'two things in one step',
    `${good}images: { web: { steps: [{ puppet: a.pp, run: x }] } }\n`,
    '6:26 steps[0] must have one of run, puppet and copy',
  ],
  [
    'packages on the minimal base',
    `${good}images: { web: { base: minimal, packages: [tree] } }\n`,
    '6:43 packages must not be here: packages need base: debian',
  ],
  [
    'a package that can be none',
    `${good}images: { web: { packages: [--yes] } }\n`,
    '6:29 packages[0] must be the name of a Debian package, not the text "--yes"',
  ],
  [
    'a copy to a path that leads elsewhere',
    `${good}images: { web: { steps: [{ copy: { from: a, to: /etc/../x } }] } }\n`,
    '6:49 to must be a path without /./ or /../, not the text "/etc/../x"',
  ],
  [
    'an image that is not declared',
    `${good}images: { web: {} }\npool: { image: wbe }\n`,
    '7:16 no image "wbe" is declared, did you mean "web"?',
  ],
  [
    'an image under a name that is built in',
    `${good}images: { minimal: {} }\n`,
    '6:11 the image minimal is built in: choose another name',
  ],
  [
    'an unknown key inside health',
    withService('health: { http: /healthz, Time_Out: 1s }'),
    '4:31 unknown key "Time_Out", did you mean "timeout"?',
  ],
  [
    'an unknown choice',
    withService('on-config-change: restrat'),
    '4:23 on-config-change must be restart, none, SIGHUP, SIGUSR1 or SIGUSR2, not the text "restrat", did you mean "restart"?',
  ],
  ['count -1', count('-1'), '5:23 count must be a whole number from 0 to 1000, not -1'],
  ['count 1e9', count('1e9'), '5:23 count must be a whole number from 0 to 1000, not 1000000000'],
  ['count "3"', count('"3"'), '5:23 count must be a whole number from 0 to 1000, not the text "3"'],
  ['count 3.5', count('3.5'), '5:23 count must be a whole number from 0 to 1000, not 3.5'],
  ['count .nan', count('.nan'), '5:23 count must be a whole number from 0 to 1000, not NaN'],
  ['count NaN', count('NaN'), '5:23 count must be a whole number from 0 to 1000, not the text "NaN"'],
  ['count .inf', count('.inf'), '5:23 count must be a whole number from 0 to 1000, not Infinity'],
  ['count true', count('true'), '5:23 count must be a whole number from 0 to 1000, not true'],
  ['a blank count', count(''), '5:16 count is blank: give it a value, or leave it out'],
  ['a null count', count('null'), '5:23 count is blank: give it a value, or leave it out'],
  ['a blank services', 'environment: e\nservices:\n', '2:1 services is blank: give it a value, or leave it out'],
  ['a blank file', '', '1:1 the file is empty: to stop everything, declare "services: {}" and say --allow-empty'],
  [
    'a file of comments',
    '# nothing\n---\n',
    '1:1 the file is empty: to stop everything, declare "services: {}" and say --allow-empty',
  ],
  [
    'empty services',
    'environment: e\nservices: {}\n',
    '2:1 services is empty: that would stop everything; say so with --allow-empty if it is meant',
  ],
  [
    'empty versions',
    two(`{ versions: {} }`, `{ ${plain} }`),
    '3:10 versions is empty: that would stop the service; say so with --allow-empty if it is meant',
  ],
  [
    'a list instead of services',
    'environment: e\nservices: [dns]\n',
    '2:11 services must be a map (service name: service), not a list',
  ],
  ['a list as the file', '- environment: e\n', '1:1 the file must be a map (name: value), not a list'],
  ['a word as the file', 'environment\n', '1:1 the file must be a map (name: value), not the text "environment"'],
  ['an anchor', withVersion('&v { count: 1, command: [node], port: 80 }'), '5:17 anchors are not accepted: remove &v'],
  [
    'an alias',
    `${good.replace('80 }', '&port 80 }')}      2.0.0: { count: 1, command: [node], port: *port }\n`,
    '5:55 anchors are not accepted: remove &port',
    '6:49 aliases are not accepted: write it out',
  ],
  [
    'a merge key',
    withVersion('{ <<: { count: 1 }, count: 1, command: [node], port: 80 }'),
    '5:16 merge keys are not accepted: write it out',
  ],
  [
    '__proto__ as a key',
    withService('config: { __proto__: { admin: true } }'),
    '4:15 "__proto__" is not accepted as a key',
  ],
  ['constructor as a service', `${good}  constructor: { ${plain} }\n`, '6:3 "constructor" is not accepted as a key'],
  ['a custom tag', count('!weird 1'), '5:30 tags are not accepted: remove !weird'],
  ['a standard tag', count('!!int 1'), '5:29 tags are not accepted: remove tag:yaml.org,2002:int'],
  ['a directive', `%YAML 1.1\n---\n${good}`, '1:1 directives are not accepted'],
  ['a second document', `${good}---\n${good}`, '6:1 a file holds one environment: a second one starts here'],
  ['a list as a key', `${good}? [a]\n: 1\n`, '6:3 a key must be plain text'],
  [
    'more than 1 MB',
    `${good}#${'x'.repeat(1_000_000)}\n`,
    `1:1 the file has ${good.length + 1_000_002} bytes; the most accepted is 1000000`,
  ],
  ['NUL', good.replace('dns', 'd\0s'), '3:4 control character U+0000'],
  ['an escape character', good.replace('hosting', 'host\u001b[31m'), '1:18 control character U+001B'],
  [
    'bytes that are not UTF-8',
    Uint8Array.of(...Buffer.from('a: b\nc: x'), 0xff, 10),
    '2:5 the file is not UTF-8: broken character',
  ],
  ['Latin-1', Buffer.from('environment: caf\u00e9\n', 'latin1'), '1:17 the file is not UTF-8: broken character'],
  ['UTF-16', Buffer.from(good, 'utf16le'), '1:2 control character U+0000'],
  [
    'a service name in capitals',
    `${good}  Domains: { ${plain} }\n`,
    '6:3 a service name must be 1 to 40 of a-z, 0-9 and -; "Domains" is not',
  ],
  [
    'a service name of 41 characters',
    `${good}  ${'a'.repeat(41)}: { ${plain} }\n`,
    `6:3 a service name must be 1 to 40 of a-z, 0-9 and -; "${'a'.repeat(41)}" is not`,
  ],
  [
    'a path as a version',
    two(`{ versions: { ../x: { count: 1, command: [node], port: 80 } } }`, `{ ${plain} }`),
    '3:22 a version must be 1 to 40 of letters, digits, . and -, such as 1.2.0; "../x" is not',
  ],
  [
    'two services on one route',
    two(`{ route: /api, ${plain} }`, `{ route: /api, ${plain} }`),
    '4:21 route /api is taken: service dns has it',
  ],
  [
    "another service's default route",
    two(`{ route: /domains, ${plain} }`, `{ ${plain} }`),
    '4:3 route /domains is taken: service dns has it; give it a route of its own',
  ],
  ["the gateway's own path", withService('route: /docs'), "4:12 route /docs is taken: /docs is the gateway's own"],
  [
    "a path below the gateway's own",
    withService('route: /status/dns'),
    "4:12 route /status/dns is taken: /status is the gateway's own",
  ],
  [
    'a service named as one of them',
    `${good}  docs: { ${plain} }\n`,
    "6:3 route /docs is taken: /docs is the gateway's own; give it a route of its own",
  ],
  ...[
    '/',
    '//',
    '/a/',
    '/a//b',
    '/../a',
    '/a b',
    '/a;b',
    '/{x}',
    '/$a',
    'dns',
    '/A',
    '/%2e%2e',
    '/a?b',
    "/a'",
    '/a\\b',
  ].map((route): [string, string, string] => [
    `the route ${route}`,
    withService(`route: ${JSON.stringify(route)}`),
    `4:12 route must be a path such as /dns: up to 5 parts of a-z, 0-9, . _ and -, not the text "${route}"`,
  ]),
  [
    'a half-written file: cut in a word',
    'environment: hosting\nserv',
    '2:1 Implicit map keys need to be followed by map values',
  ],
  ['a half-written file: no services', 'environment: hosting\n', '1:1 services is missing'],
  [
    'a half-written file: no version',
    'environment: hosting\nservices:\n  dns:\n',
    '3:3 dns is blank: give it a value, or leave it out',
  ],
  [
    'a half-written file: no port',
    withVersion('{ count: 1, command: [node] }'),
    '5:7 port is missing: give it here, or on the service for all its versions',
  ],
  ['port 0', withService('port: 0'), '4:11 port must be a whole number from 1 to 65535, not 0'],
  ['port 70000', withService('port: 70000'), '4:11 port must be a whole number from 1 to 65535, not 70000'],
  [
    'a weight over 100',
    withVersion('{ count: 1, weight: 101, command: [node], port: 80 }'),
    '5:34 weight must be a whole number from 0 to 100, not 101',
  ],
  [
    'only weights of 0',
    withVersion('{ count: 1, weight: 0, command: [node], port: 80 }'),
    '4:5 all weights are 0: no version would get a request',
  ],
  [
    'a weight on one of two versions',
    `${withVersion('{ count: 1, weight: 9, command: [node], port: 80 }')}      2.0.0: { count: 1, command: [node], port: 80 }\n`,
    '6:7 weight is missing: give all versions of a service one, or none',
  ],
  [
    'a duration without a unit',
    withService('drain-timeout: 30'),
    '4:20 drain-timeout must be a duration such as 500ms, 2s or 1m, from 0ms to 1h, not 30',
  ],
  [
    'a duration out of range',
    withService('stop-timeout: 2h'),
    '4:19 stop-timeout must be a duration such as 500ms, 2s or 1m, from 0ms to 10m, not the text "2h"',
  ],
  [
    'two kinds of health check',
    withService('health: { http: /h, tcp: true }'),
    '4:13 health must have one of http, tcp and command',
  ],
  [
    'an unknown health check',
    withService('health: ping'),
    '4:13 health must be none, or a map with one of http, tcp and command, not the text "ping"',
  ],
  [
    'a document outside the instance',
    withService('document: http://elsewhere/'),
    '4:15 document must be a path such as /openapi.json, not the text "http://elsewhere/"',
  ],
  [
    'a document path upwards',
    withService('document: /../x'),
    '4:15 document must be a path without //, /./ or /../, not the text "/../x"',
  ],
  [
    'an artifact of two forms',
    withService('').replace('count: 1', 'count: 1, artifact: { directory: a, file: b }'),
    '6:36 artifact must have one of directory, file and url',
  ],
  [
    'a file without sha256',
    withService('').replace('count: 1', 'count: 1, artifact: { file: b }'),
    '6:36 artifact must have the sha256 of its file or url',
  ],
  [
    'a URL of another scheme',
    withService('').replace('count: 1', `count: 1, artifact: { url: "ftp://h/x", sha256: ${'0'.repeat(64)} }`),
    '6:43 url must be an http or https URL without user, password or #fragment, not the text "ftp://h/x"',
  ],
  [
    'a URL with a password',
    withService('').replace('count: 1', `count: 1, artifact: { url: "http://u:p@h/x", sha256: ${'0'.repeat(64)} }`),
    '6:43 url must be an http or https URL without user, password or #fragment, not the text "http://u:p@h/x"',
  ],
  [
    'NUL in a command',
    withService('command: ["a\\0b"]'),
    '4:15 command[0] must have no control characters, not the text "a\uFFFDb"',
  ],
  [
    'half a surrogate pair',
    withService('env: { A: "\\ud800" }'),
    '4:15 A must have no control characters, not the text "\uFFFD"',
  ],
  [
    "one of MCP's own variables",
    withService('env: { PORT: 1 }'),
    '4:12 ADDRESS, HOST, PORT and MCP_... are set by MCP itself; "PORT" is not',
  ],
  [
    'a number that JSON would change',
    withService('config: { big: 12345678901234567890 }'),
    '4:20 big must be a number that can be kept exactly: put it in quotes, not 12345678901234567000',
  ],
];

for (const [title, content, ...expected] of table) {
  test(`${title} is refused with its place`, (t) => {
    t.deepEqual(complaints(content), expected);
  });
}

const bombs: [title: string, content: string][] = [
  ['flow lists', '['.repeat(900_000)],
  ['flow maps', '{a: '.repeat(200_000)],
  ['lists in lists on one line', '- '.repeat(400_000)],
  ['a staircase of maps', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
];
for (const [title, content] of bombs) {
  test(`${title} nested without end are refused at once`, (t) => {
    t.deepEqual(
      problemsIn(content).map(({ message }) => message),
      ['nested too deep'],
    );
  });
}

test('a billion laughs of aliases is refused without being expanded', (t) => {
  const bomb = Array.from({ length: 20 }, (_, level) =>
    level === 0
      ? 'a0: &a0 [lol]'
      : `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
  );
  const messages = problemsIn(bomb.join('\n')).map(({ message }) => message);
  t.true(messages.includes('aliases are not accepted: write it out'));
});

test('a flood of words is refused, and so is a flood of mistakes: neither fills the memory', (t) => {
  t.deepEqual(
    problemsIn(']'.repeat(900_000)).map(({ message }) => message),
    ['too many words for a declared environment'],
  );
  t.true(problemsIn(`x: [${'*a, '.repeat(1000)}]`).length < 110);
});

test('empty services and versions are accepted where it is said that they are meant', (t) => {
  t.deepEqual(parseText('environment: e\nservices: {}\n', { allowEmpty: true }).services, []);
  const declared = parseText('environment: e\nservices: { dns: { versions: {} } }\n', { allowEmpty: true });
  t.deepEqual(declared.services[0]?.versions, []);
});

test('a file without content is refused also then: it names no environment', (t) => {
  t.throws(() => parseText('', { allowEmpty: true }), { code: 'SPEC_INVALID' });
});

test('one mistake does not hide another: of shape, of rules and of YAML, all are named in order', (t) => {
  const text = [
    'environment: Hosting',
    'services:',
    '  dns: { route: /docs, versions: { 1.0.0: { count: 1, port: 1, command: [x] } } }',
    '  mail: { versions: { 1.0.0: { count: -1, port: &p 1, command: [x] } } }',
    '',
  ].join('\n');
  t.deepEqual(complaints(text), [
    '1:14 an environment name must be 1 to 40 of a-z, 0-9 and -, not the text "Hosting"',
    "3:17 route /docs is taken: /docs is the gateway's own",
    '4:39 count must be a whole number from 0 to 1000, not -1',
    '4:52 anchors are not accepted: remove &p',
  ]);
});
