import test from 'ava';
import type { ControllerWords } from '../../../mcp/view/status-view.ts';
import { whyService } from '../../../mcp/view/why.ts';
import type { WaitingRecord } from '../../../registrar/status-records.ts';
import type { WaitCause } from '../../../registrar/wait-causes.ts';
import {
  claimed,
  environment,
  gateway,
  machine,
  registration,
  registryPart,
  service,
  version,
} from '../../helpers/world.ts';

const v1 = version('1.0.0', 1);
const dns = environment(service('dns', [v1]));
const controller: ControllerWords = { leader: 'controller-1', waiting: [], alarms: [] };
const documents = [{ version: '1.0.0', stale: false, problem: '' }];
const well = { machines: [claimed('a', 'dns', v1)], registrations: [registration('a', 'dns', v1)] };

function broken(
  over: Parameters<typeof registryPart>[1],
  words: Partial<{ controller: typeof controller; documents: typeof documents | null }> = {},
) {
  return whyService('dns', { registry: registryPart(dns, { ...well, ...over }), controller, documents, ...words });
}

test('a service that is as declared has no broken link', (t) => {
  const view = broken({});
  t.is(view.broken, null);
  t.deepEqual(
    view.links.map(({ link }) => link),
    ['declaration', 'controller', 'claims', 'machines', 'agents', 'health', 'registrations', 'routes', 'document'],
  );
});

test('a service that nobody declared is broken at its declaration, and the declared ones are named', (t) => {
  const view = whyService('dsn', { registry: registryPart(dns), controller, documents });
  t.is(view.broken, 'declaration');
  t.regex(view.links[0]?.evidence[0] ?? '', /it declares dns/);
  t.is(view.links[0]?.try, 'mcp why dns');
});

test('a suspended controller is the first broken link and resume is what to try', (t) => {
  const suspended = { record: { suspended: true, reason: 'maintenance', by: 'operator:ann', at: 1 }, version: 1 };
  const view = broken({ suspended, machines: [], registrations: [] });
  t.is(view.broken, 'controller');
  t.is(view.links.find(({ link }) => link === 'controller')?.try, 'mcp resume');
});

test('what the controller waits for is told as its evidence', (t) => {
  const view = broken({ machines: [], registrations: [] }, waits('lost-ledger', '2 machines may serve it'));
  t.is(view.broken, 'controller');
  t.true(view.links.some(({ evidence }) => evidence.includes('dns@1.0.0 waits: 2 machines may serve it')));
});

test('what concerns all concerns each service; what another one waits for does not, nor what has no cause', (t) => {
  const told = (words: Partial<WaitingRecord>) =>
    broken({}, { controller: { ...controller, waiting: [{ what: 'x', why: 'w', ...words }] } }).broken;
  t.is(told({ cause: 'registry' }), 'controller');
  t.is(told({ cause: 'budget', service: 'web' }), null);
  t.is(told({ cause: 'more' }), null);
  t.is(told({}), null);
});

test('of a version that fails to start the agents are the broken link, not the claims that were given up with them', (t) => {
  const failing = (inARow: number, words: ReturnType<typeof waits>) => {
    const starts = { [v1.digest]: { inARow, lastReason: 'exited with code 3' } };
    const record = { images: {}, starts, counted: [], claims: [], countedTo: 0, lifted: 0 };
    const alarms = [{ code: 'START_FAILING', message: 'dns@1.0.0: 3 starts in a row failed' }];
    const pool = { record, version: 1 };
    return broken({ machines: [], registrations: [], pool }, { controller: { ...words.controller, alarms } });
  };
  for (const [inARow, words] of [
    [1, waits('no-machine', '1 more wait for a ready machine: pool empty, 1 building')],
    [3, waits('breaker', '1 more wait: 3 starts in a row failed; one more is tried in 300 s')],
  ] as const) {
    const view = failing(inARow, words);
    t.is(view.broken, 'agents', words.controller.waiting[0]?.cause);
    const agents = view.links.find(({ link }) => link === 'agents');
    t.regex(agents?.evidence[0] ?? '', /^1\.0\.0: the last (3 )?starts? failed: exited with code 3$/);
    t.regex(agents?.try ?? '', /correct what fails and mcp apply -f FILE, or mcp pool retry/);
  }
  const other = { 'digest-other': { inARow: 3, lastReason: 'x' } };
  const record = { images: {}, starts: other, counted: [], claims: [], countedTo: 0, lifted: 0 };
  const view = broken({ machines: [], registrations: [], pool: { record, version: 1 } });
  t.is(view.broken, 'claims', 'what was declared before fails no more');
});

test('the next command fits what the controller waits for, what is left out, and where there is no gateway', (t) => {
  const next = (...of: Parameters<typeof broken>) => {
    const view = broken(...of);
    return view.links.find(({ link }) => link === view.broken)?.try ?? '';
  };
  t.regex(
    next({}, waits('protected', '1 to go, but what is left is protected (a)')),
    /^mcp machines unprotect MACHINE/,
  );
  t.is(next({}, waits('mass-failure', '1 more waits')), 'mcp watch');
  t.is(next({ gateways: [] }), 'mcp up');
  const left = (uuid: string) => next({ rejected: [{ path: `/services/dns/1.0.0/${uuid}`, reason: 'port 0' }] });
  t.is(left('a'), 'mcp machines a');
  t.regex(left('stranger'), /^look for what registers \/services\/dns\/1\.0\.0\/stranger: it is no machine of ours/);
  const stale = { documents: [{ version: '1.0.0', stale: true, problem: 'timeout' }] };
  t.is(next({}, stale), 'curl -i http://127.31.7.2:8080/openapi.json');
});

test('that it is suspended is said once', (t) => {
  const suspended = { record: { suspended: true, reason: 'maintenance', by: 'operator:ann', at: 1 }, version: 1 };
  const { evidence = [] } = broken({ suspended }, waits('suspended', 'suspended by operator:ann')).links[1] ?? {};
  t.is(evidence.filter((fact) => fact.includes('suspended')).length, 1);
});

test('missing claims are the broken link where the controller waits for nothing', (t) => {
  t.is(broken({ machines: [machine('p')], registrations: [] }).broken, 'claims');
});

test('an agent that fails is the broken link, with its reason', (t) => {
  const view = broken({
    machines: [claimed('a', 'dns', v1, 'failed', 'artifact has a wrong digest')],
    registrations: [],
  });
  t.is(view.broken, 'agents');
  t.regex(view.links.find(({ link }) => link === 'agents')?.evidence[0] ?? '', /wrong digest/);
});

test('a registration that was left out is named with its reason', (t) => {
  const rejected = [{ path: '/services/dns/1.0.0/x', reason: 'port 0' }];
  const view = broken({ rejected });
  t.is(view.broken, 'registrations');
  t.true(view.links.some(({ evidence }) => evidence.includes('left out /services/dns/1.0.0/x: port 0')));
});

test('a gateway that has not seen the last change is the broken link', (t) => {
  t.is(broken({ gateways: [gateway({ served: { generation: 2, asOf: 5 } })] }).broken, 'routes');
  t.is(broken({ gateways: [] }).broken, 'routes');
  t.is(broken({ gateways: [gateway({ holding: 'the registry is empty' })] }).broken, 'routes');
});

test('a stale document is the last link that can break', (t) => {
  t.is(broken({}, { documents: [{ version: '1.0.0', stale: true, problem: 'timeout' }] }).broken, 'document');
  t.is(broken({}, { documents: null }).broken, 'document');
});

/** One thing amiss at each link, beside the words of a controller at work; what is told, and what to try. */
const amiss: [string, Parameters<typeof broken>[0], Parameters<typeof broken>[1], RegExp, RegExp][] = [
  ['controller', {}, { controller: { ...controller, leader: null } }, /no controller leads/, /^mcp up$/],
  [
    'controller',
    {},
    waits('mass-failure', '1 more wait: mass failure: at most 1 starting at a time'),
    /mass failure/,
    /^mcp watch$/,
  ],
  [
    'claims',
    { machines: [machine('p', { state: 'building' })], registrations: [] },
    waits('no-machine', '1 more wait for a ready machine: pool empty, 1 building'),
    /pool empty, 1 building/,
    /^mcp pool$/,
  ],
  [
    'machines',
    { machines: [claimed('a', 'dns', v1, null)], registrations: [] },
    onTheWay(),
    /no agent/,
    /^mcp machines a$/,
  ],
  ['agents', at('fetching', 'can’t fetch it: ENOENT'), onTheWay(), /fetching: can’t fetch it/, /^mcp machines a$/],
  ['agents', at('starting', 'exited with code 3'), onTheWay(), /exited with code 3/, /^mcp machines a$/],
  [
    'health',
    at('checking', 'health check failed: 503'),
    onTheWay(),
    /checking: health check failed/,
    /^mcp machines console a$/,
  ],
  [
    'health',
    at('unhealthy', 'health check failed: timeout'),
    {},
    /unhealthy: health check/,
    /^mcp machines console a$/,
  ],
  ['registrations', { registrations: [] }, {}, /0 of 1 registered/, /^mcp machines$/],
  [
    'routes',
    { gateways: [gateway({ holding: 'the registry is empty' })] },
    {},
    /holding: the registry is empty/,
    /^mcp status$/,
  ],
  ['document', {}, { documents: [{ version: '1.0.0', stale: true, problem: 'timeout' }] }, /timeout/, /^curl /],
];

function at(phase: 'fetching' | 'starting' | 'checking' | 'unhealthy', reason: string) {
  return { machines: [claimed('a', 'dns', v1, phase, reason)], registrations: [] };
}

function waits(cause: WaitCause, why: string) {
  return { controller: { ...controller, waiting: [{ what: 'dns@1.0.0', service: 'dns', cause, why }] } };
}

/** What a controller says while it waits for what it did: no link of its own is broken. */
function onTheWay() {
  return waits('starting', '0 of 1 serve; 1 on their way (starting)');
}

for (const [link, over, words, evidence, next] of amiss) {
  test(`where its ${link} is amiss (${evidence.source}) just that is named, with the evidence and what to try`, (t) => {
    const view = broken(over, words);
    const named = view.links.find((one) => one.link === view.broken);
    t.is(view.broken as string | null, link);
    t.regex(named?.evidence.join('\n') ?? '', evidence);
    t.regex(named?.try ?? '', next);
  });
}

const pay = { service: 'pay', path: '/s/pay', route: '/money', version: 'curator', document: '/doc' };
const beside = { service: 'dns', path: '/s/dns', version: 'old' };
const registries = [{ dialect: 'curator' as const, graceMs: 0, services: [pay, beside] }];
const own = environment(service('dns', [v1]));
const withOthers = { ...own, gateway: { ...own.gateway, registries } };
const word = {
  version: 'curator',
  dialect: 'curator' as const,
  path: 'curator:/s/pay',
  instances: 2,
  routed: 1,
  out: ['b: enabled: false'],
  problem: '',
};
const foreign = [
  { service: 'pay', route: '/money', ...word },
  { service: 'dns', ...word, version: 'old', path: 'curator:/s/dns' },
];

test('a service that only other software registers is walked without controller and machines', (t) => {
  const walk = (said: Partial<ReturnType<typeof gateway>>) =>
    whyService('pay', {
      registry: registryPart(withOthers, { gateways: [gateway(said)] }),
      controller,
      documents: [{ version: 'curator', stale: false, problem: '' }],
    });
  const good = walk({ foreign });
  t.is(good.broken, null);
  t.deepEqual(
    good.links.map(({ link }) => link),
    ['declaration', 'registrations', 'routes', 'document'],
  );
  t.deepEqual(good.links[0]?.evidence, [
    'generation 4 by operator:ann takes curator registrations of /s/pay as curator at /money',
  ]);
  t.deepEqual(good.links[1]?.evidence, [
    'curator: 1 of 2 registered by curator get requests (curator:/s/pay)',
    'curator: no requests for b: enabled: false',
  ]);
  t.is(walk({}).broken, 'registrations', 'no gateway knows of it');
  t.is(walk({ foreign: foreign.map((one) => ({ ...one, routed: 0 })) }).broken, 'registrations');
  const unread = walk({ foreign: foreign.map((one) => ({ ...one, problem: 'no answer' })) });
  t.regex(unread.links[1]?.evidence.join() ?? '', /can't be read: no answer/);
  t.is(unread.broken, 'registrations');
  const bad = walk({
    foreign,
    rejected: [
      { path: 'curator:/s/pay/x', reason: 'port' },
      { path: 'curator:/s/payroll/x', reason: 'no' },
    ],
  });
  t.deepEqual(bad.links[1]?.evidence.slice(-1), ['left out curator:/s/pay/x: gateway gateway-1: port']);
  t.is(bad.links[1]?.try, 'look at what is registered below /s/pay, and at its registrants');
});

test('foreign instances beside a declared service are told with its registrations, and count for nothing there', (t) => {
  const view = whyService('dns', {
    registry: registryPart(withOthers, {
      gateways: [gateway({ foreign, rejected: [{ path: 'curator:/s/dns/x', reason: 'port' }] })],
    }),
    controller,
    documents: null,
  });
  const evidence = view.links.find(({ link }) => link === 'registrations')?.evidence ?? [];
  t.true(evidence.includes('old: 1 of 2 registered by curator get requests (curator:/s/dns)'));
  t.true(evidence.includes('left out curator:/s/dns/x: gateway gateway-1: port'));
  t.is(view.broken, 'claims', 'a machine that is missing is missing all the same');
});

test('a name that no one knows is compared with the names of others too', (t) => {
  const view = whyService('pya', { registry: registryPart(withOthers), controller, documents: null });
  t.regex(view.links[0]?.evidence[1] ?? '', /did you mean "pay"/);
});
