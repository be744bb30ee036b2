/** Services on images of their own. */
import test from 'ava';
import { checkPlan } from '../../../mcp/plan/check-plan.ts';
import { acts, service, TestLeader, version, WorldBuilder } from './world-builder.ts';

const v1 = version('1.0.0', 1);
const web = { ...service('web', [v1]), image: 'web@aaaaaaaaaaaa' };
const dns = service('dns', [v1]);

const created = (plan: ReturnType<TestLeader['plan']>) =>
  plan.actions.flatMap((action) => (action.kind === 'create' ? [action.image] : []));

test('a service that asks for an image claims only machines of it, and no other service does', (t) => {
  const world = new WorldBuilder()
    .declare([dns, web])
    .machine('a', { createdAt: 1, image: 'web@bbbbbbbbbbbb' })
    .machine('b', { image: 'web@aaaaaaaaaaaa' })
    .machine('c', { image: 'process' });
  const plan = new TestLeader().plan(world);
  const claims = plan.actions.flatMap((action) =>
    action.kind === 'claim' ? [`${action.service} ${action.uuid}`] : [],
  );
  t.deepEqual(claims.sort(), ['dns c', 'web b']);
  t.deepEqual(checkPlan(world.snapshot(), plan), []);
  const wrong = plan.actions.map((action) => (action.kind === 'claim' ? { ...action, service: 'web' } : action));
  t.true(checkPlan(world.snapshot(), { ...plan, actions: wrong }).some(({ message }) => /image/.test(message)));
});

test('the pool keeps its size of the default image; another one is made when a claim needs it', (t) => {
  const world = new WorldBuilder().declare([dns, web], { pool: 2 }).machine('c', { image: 'process' });
  const leader = new TestLeader();
  t.deepEqual(created(leader.plan(world)), ['web@aaaaaaaaaaaa']);
  world.machine('w', { state: 'building', image: 'web@aaaaaaaaaaaa', phase: null }).serving('c', 'dns', v1);
  t.true(created(leader.plan(world, 1000)).every((image) => image === 'process'));
});

test('a ready machine of an image that only services ask for is given up when none needs it', (t) => {
  const world = new WorldBuilder()
    .declare([dns, web])
    .serving('d', 'dns', v1)
    .serving('w', 'web', v1, { image: 'web@aaaaaaaaaaaa' })
    .machine('x', { image: 'web@aaaaaaaaaaaa' });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), []);
  t.deepEqual(acts(leader.plan(world, 60_000)), ['retire x']);
});

test('a service on an image of its own is not moved to the pool’s', (t) => {
  const world = new WorldBuilder().declare([web], { pool: 1 }).machine('p');
  world.serving('w', 'web', v1, { image: 'web@aaaaaaaaaaaa' });
  t.deepEqual(acts(new TestLeader().plan(world)), []);
});

test('a service whose image is not baked waits and says why; others go on', (t) => {
  const why = 'there is no image web@aaaaaaaaaaaa: bake it with mcp image bake web -f FILE';
  const world = new WorldBuilder()
    .declare([dns, web], { pool: 1 })
    .machine('p')
    .set({ missingImages: { 'web@aaaaaaaaaaaa': why } });
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan, 'claim'), ['claim p']);
  t.deepEqual(created(plan), ['process']);
  t.true(plan.waiting.some(({ what, why: said }) => what === 'web@1.0.0' && said.includes(why)));
});

test('where the pool’s own image is not baked nothing is asked for, and the pool says why', (t) => {
  const world = new WorldBuilder().declare([dns], { pool: 1 }).set({ missingImages: { process: 'there is no image' } });
  const plan = new TestLeader().plan(world);
  t.deepEqual(plan.actions, []);
  t.deepEqual(
    plan.waiting.map(({ what }) => what),
    ['dns@1.0.0', 'pool'],
  );
});
