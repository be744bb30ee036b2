/** Machines with a service already started: who gets them, when they are made, and what becomes of them. */

import test from 'ava';
import type { Plan } from '../../../mcp/plan/plan.ts';
import { isTimeForTemplates, templateRecords, wantedTemplates } from '../../../mcp/plan/service-templates.ts';
import type { DesiredRecord } from '../../../registrar/records.ts';
import type { Service, Version } from '../../../specs/nouns.ts';
import { warmVersions } from '../../../specs/service-template.ts';
import { selfTest } from '../../helpers/self-test.ts';
import { acts, service, TestLeader, version, WorldBuilder } from './world-builder.ts';

const v1 = version('1.0.0', 1);
const warm = (name: string, versions: Version[], ready = 1): Service => ({
  ...service(name, versions),
  warm: { ready },
});

function templateOf(one: Service): string {
  return warmVersions({ services: [one] })[0]?.template ?? '';
}

const dns = warm('dns', [v1]);
const template = templateOf(dns);
const ready = { [template]: { state: 'ready', reason: '' } } as const;

test('a machine in which the service runs already goes to it first, and to others only where nothing else is ready', (t) => {
  const web = service('web', [v1]);
  const world = new WorldBuilder().declare([web, dns]).set({ templates: ready });
  world.machine('plain').machine('warm', { template, holds: template });
  const claims = new TestLeader().plan(world).actions.filter(({ kind }) => kind === 'claim');
  t.like(
    claims.find((act) => 'service' in act && act.service === 'dns'),
    { uuid: 'warm', warm: true },
  );
  t.like(
    claims.find((act) => 'service' in act && act.service === 'web'),
    { uuid: 'plain' },
  );
  t.false('warm' in (claims.find((act) => 'service' in act && act.service === 'web') ?? {}));
  const short = new WorldBuilder().declare([web]).machine('warm', { template, holds: template });
  t.deepEqual(acts(new TestLeader().plan(short), 'claim'), ['claim warm']);
});

test('a machine that was to have the service and has it not is claimed like any other', (t) => {
  const world = new WorldBuilder().declare([dns]).set({ templates: ready }).machine('a', { template });
  const [claim] = new TestLeader().plan(world).actions;
  t.like(claim, { kind: 'claim', uuid: 'a' });
  t.false('warm' in (claim ?? {}));
});

test('what the service was started with makes the template: another configuration is another one', (t) => {
  const names = [
    dns,
    { ...dns, config: { ttl: 1 } },
    { ...dns, warm: { ready: 1, signal: 'SIGHUP' as const } },
    warm('dns', [version('1.0.0', 1, 'changed')]),
    warm('other', [v1]),
  ].map(templateOf);
  t.is(new Set(names).size, names.length);
  t.is(templateOf({ ...dns, warm: { ready: 7 }, versions: [{ ...v1, count: 5 }] }), template);
  t.deepEqual(warmVersions({ services: [service('dns', [v1]), warm('off', [version('1.0.0', 0)])] }), []);
});

test('machines are made of a template that is there, beside the pool, and when nobody waits for a machine', (t) => {
  const world = new WorldBuilder().declare([dns], { pool: 1 }).machine('spare').serving('a', 'dns', v1);
  const created = () => new TestLeader().plan(world).actions.filter(({ kind }) => kind === 'create');
  t.deepEqual(created(), [], 'nothing is known of its template');
  world.set({ templates: { [template]: { state: 'making', reason: 'x' } } });
  t.deepEqual(created(), []);
  world.set({ templates: ready });
  t.is(created().length, 1);
  t.like(created()[0], { template, image: 'process' });
  world.machine('b', { service: 'dns', version: v1, phase: 'starting' });
  t.deepEqual(created(), [], 'one starts just now');
  world.remove('b').machine('warm', { template, holds: template });
  t.deepEqual(created(), [], 'one is ready');
  t.deepEqual(acts(new TestLeader().plan(world), 'retire'), []);
});

test('machines of a template that is not wanted any more are given up, and so is one whose self-test fails', (t) => {
  const world = new WorldBuilder().declare([{ ...dns, config: { ttl: 1 } }]).serving('a', 'dns', v1);
  world.machine('stale', { template, holds: template });
  t.deepEqual(acts(new TestLeader().plan(world), 'retire'), ['retire stale']);
  const failing = new WorldBuilder().declare([dns], { pool: 1 }).machine('spare').serving('a', 'dns', v1);
  failing.set({ templates: ready });
  for (const uuid of ['b', 'c', 'd'])
    failing.machine(uuid, { template, state: 'verifying', selfTest: selfTest({ 'disk-content': 1 }) });
  const plan = new TestLeader().plan(failing);
  t.deepEqual(acts(plan, 'retire'), ['retire b', 'retire c', 'retire d']);
  t.true(plan.alarms.some(({ message }) => message.includes(`of image process with template ${template} failed`)));
  failing.remove('spare');
  const others = new TestLeader().plan(failing).actions.filter(({ kind }) => kind === 'create');
  t.deepEqual(
    others.map((act) => 'template' in act),
    [false],
    'the pool for all is not stopped by it',
  );
});

test('templates are made when nothing more urgent is under way; a provider without them is said to have none', (t) => {
  const world = new WorldBuilder().declare([dns], { pool: 1 }).machine('spare').serving('a', 'dns', v1);
  const snapshot = world.snapshot();
  const { environment } = (snapshot.desired as { record: DesiredRecord }).record;
  const leader = new TestLeader();
  const isTime = (later: number, actions?: Plan['actions']) => {
    const plan = leader.plan(world, later);
    return isTimeForTemplates(world.snapshot(), { actions: actions ?? plan.actions }, leader.memory, leader.now);
  };
  t.true(isTime(0));
  const claim = { kind: 'claim', uuid: 'x', service: 'dns', version: '1', operation: 'o', reason: '' } as const;
  t.false(isTime(0, [claim]));
  world.machine('new', { state: 'building' });
  t.false(isTime(0));
  leader.jump(-9 * 3_600_000);
  t.false(isTime(30_000));
  t.true(isTime(60_000), 'it hangs, whatever the wall clock says');
  t.like(wantedTemplates(environment)[0], { image: 'process', order: { template, service: 'dns', version: v1 } });
  t.like(templateRecords(environment, null, 'process')[0], { state: 'impossible', service: 'dns' });
  t.regex(templateRecords(environment, null, 'process')[0]?.reason ?? '', /warm has no effect: .* process /);
  t.like(templateRecords(environment, ready, 'qemu')[0], { state: 'ready', reason: '' });
  t.like(templateRecords(environment, undefined, 'qemu')[0], { state: 'waiting' });
});
