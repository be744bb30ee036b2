/** The guards of `mcp plan`, each found by the planner itself as it plays the declaration through. */
import test from 'ava';
import { planEnvironment } from '../../../mcp/declare/plan-environment.ts';
import type { ObservedMachine } from '../../../mcp/plan/snapshot.ts';
import type { RegistryPart } from '../../../mcp/view/status-view.ts';
import type { EndedRecord, FailureCount, MachineRecord } from '../../../registrar/records.ts';
import type { ProviderRecord } from '../../../registrar/status-records.ts';
import type { Environment, Version } from '../../../specs/nouns.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

const one = version('1.0.0', 1);
const two = version('1.0.0', 2);
const ten = version('1.0.0', 10);
const dns = environment(service('dns', [two]));
const word = { by: 'operator:ann', reason: '', at: 1 };

interface Words {
  provider?: Partial<ProviderRecord>;
  ended?: EndedRecord[];
}

/** `guard effect: why`, as planned against the world. */
function guards(wanted: Environment, world: Partial<RegistryPart>, { provider = {}, ended = [] }: Words = {}) {
  const said = { name: 'fake', facts: {}, ...provider };
  const controller = { epoch: 1, leader: 'c', generation: 1, at: 0, waiting: [], alarms: [], provider: said };
  const registry = registryPart(wanted, world);
  const asked = { environment: wanted, registry, controller, leading: true, ended, by: 'operator:ann', at: 10_000 };
  return planEnvironment(asked).guards.map(({ guard, effect, why }) => `${guard} ${effect}: ${why}`);
}

function names(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${letter}${at}`);
}

function ready(count: number): ObservedMachine[] {
  return names('p', count).map((uuid) => machine(uuid, { providerId: `p-${uuid}` }));
}

/** Instances of dns that served once; `lives`: how many of them still do. */
function served(of: Version, count: number, lives: number, over: Partial<MachineRecord> = {}) {
  const all = names('c', count);
  const machines = all.map((uuid, at) => {
    const observed = claimed(uuid, 'dns', of, at < lives ? 'serving' : null);
    return { ...observed, record: { ...observed.record, providerId: `p-${uuid}`, served: true, ...over } };
  });
  return { machines, registrations: all.slice(0, lives).map((uuid) => registration(uuid, 'dns', of)) };
}

function poolThatRemembers(what: { images?: Record<string, FailureCount>; starts?: Record<string, FailureCount> }) {
  const record = { images: {}, starts: {}, counted: [], claims: [], countedTo: 0, lifted: 0, ...what };
  return { record, version: 1 };
}

test('budget: instances told to go wait for one another', (t) => {
  const { machines, registrations } = served(two, 2, 2, { toLeave: word });
  const found = guards(dns, { machines: [...machines, ...ready(2)], registrations });
  t.is(found.length, 1, found.join());
  t.regex(found[0] ?? '', /^budget waits: dns: .*one more may go in \d+ s \(holds it up for [67]\d s\)$/);
});

test('protected: what is left of a smaller count must not go', (t) => {
  const found = guards(environment(service('dns', [one])), served(two, 2, 2, { protected: word }));
  t.deepEqual(found, [
    'protected stops: dns: 1 to go, but what is left is protected (c0, c1): mcp machines unprotect c0',
  ]);
});

test('mass-failure: of a service that lost most of its instances few are replaced at a time', (t) => {
  const { machines, registrations } = served(ten, 10, 2);
  const found = guards(environment(service('dns', [ten])), { machines: [...machines, ...ready(2)], registrations });
  t.is(found.length, 1, found.join());
  t.regex(found[0] ?? '', /^mass-failure waits: dns@1.0.0: .*at most 1 starting at a time \(holds it up for \d+ s\)$/);
});

test('shared-host: machines of one host are made a few at a time, and elsewhere not', (t) => {
  const many = environment(service('dns', [version('1.0.0', 20)]));
  const found = guards(many, { machines: ready(2) }, { provider: { sharedHost: true } });
  t.is(found.length, 1, found.join());
  t.regex(found[0] ?? '', /^shared-host waits: pool: .*the host has \d+ machines/);
  t.deepEqual(guards(many, { machines: ready(2) }), []);
});

test('breaker: what failed three times before is tried again only later, be it a version or an image', (t) => {
  const failures = { inARow: 3, lastReason: 'exited with code 3' };
  const starts = poolThatRemembers({ starts: { [two.digest]: failures } });
  const [version = '', ...more] = guards(dns, { machines: ready(2), pool: starts });
  t.regex(
    version,
    /^breaker waits: dns@1.0.0: .*exited with code 3; one more is tried in 300 s \(holds it up for 30\d s\)$/,
  );
  t.deepEqual(more, []);
  const images = poolThatRemembers({ images: { process: failures } });
  t.regex(guards(dns, { pool: images }).join(), /^breaker waits: pool: .*image process failed.*one is tried in 300 s/);
});

test('quota: said once, with what is short; a rollout that it takes back does not come to its end', (t) => {
  const provider = { machines: { limit: 10, others: 1 } };
  const many = environment(service('dns', [version('1.0.0', 20)]));
  t.deepEqual(guards(many, { machines: ready(2) }, { provider }), [
    'quota stops: 22 machines are wanted at the peak, 13 more than the quota of 10 leaves, 1 of them taken by others',
  ]);
  t.deepEqual(guards(many, { machines: ready(2) }, { provider: { machines: { limit: 22, others: 0 } } }), []);
  const tight = { provider: { machines: { limit: 2, others: 0 } } };
  const next = service('dns', [version('2.0.0', 2)], { rollout: { canary: 1 } });
  const world = { ...served(two, 2, 2), declared: registryPart(dns).declared };
  const found = guards({ ...environment(next), pool: { size: 0, image: 'process' } }, world, tight);
  t.regex(found[0] ?? '', /^quota stops: 4 machines are wanted/);
});

test('stuck: a rollout that takes longer than it may is taken back', (t) => {
  const slow = claimed('gone', 'dns', version('2.0.0', 1)).record;
  const ended = [{ machine: { ...slow, times: { claimed: 1_000, served: 31_000 } }, at: 40_000, reason: '' }];
  const rolling = (progressDeadlineMs: number) => {
    const next = service('dns', [version('2.0.0', 2)], { document: undefined, rollout: { progressDeadlineMs } });
    const { machines, registrations } = served(two, 2, 2);
    const world = { machines: [...machines, ...ready(2)], registrations, declared: registryPart(dns).declared };
    return guards(environment(next), world, { ended });
  };
  const found = rolling(20_000);
  t.is(found.length, 1, found.join());
  t.regex(found[0] ?? '', /^stuck stops: rollout of dns: it is taken back: no progress for 20 s/);
  t.deepEqual(rolling(60_000), []);
});

test('no-image: machines of an image that is not there are not made', (t) => {
  const missingImages = { process: 'image process is not baked yet' };
  t.deepEqual(guards(dns, {}, { provider: { missingImages } }), [
    'no-image stops: dns@1.0.0: 2 more wait for a ready machine: image process is not baked yet',
  ]);
});

test('memory: a peak that the host can not hold is said, and stops nothing', (t) => {
  const gib = 1024 ** 3;
  const memory = { host: 4 * gib, machine: gib };
  t.deepEqual(guards(dns, { machines: ready(2) }, { provider: { memory } }), []);
  const many = environment(service('dns', [version('1.0.0', 3)]));
  t.deepEqual(guards(many, { machines: ready(2) }, { provider: { memory } }), [
    'memory checks: 5 machines of up to 1 GiB are 5 GiB at the peak, the host has 4 GiB: it does not fit if they use it',
  ]);
  const small = { ...many, pool: { ...many.pool, flavor: { memoryBytes: gib / 2, cpus: 1 } } };
  t.deepEqual(guards(small, { machines: ready(2) }, { provider: { memory } }), []);
});
