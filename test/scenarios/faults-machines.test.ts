/** Machines that die or stand still: one process, one machine, a whole service, all at once. Real processes throughout. */
import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { readStartTime } from '../../registrar/process-identity.ts';
import {
  errorAnswers,
  eventKinds,
  freeze,
  killMachines,
  machinePid,
  machinesOf,
} from '../helpers/environment-faults.ts';
import { startLoad } from '../helpers/load.ts';
import { settled, shareEnvironment } from '../helpers/local-environment.ts';
import { until } from '../helpers/until.ts';

const sessionTimeoutMs = 2000;
const environment = shareEnvironment(test, { args: ['--session-timeout', String(sessionTimeoutMs)] });

/** Pid of the process that an agent started; null where none runs. */
function serviceOf(agent: number): number | null {
  const { stdout } = spawnSync('pgrep', ['-P', String(agent)], { encoding: 'utf8' });
  return stdout.trim() === '' ? null : Number(stdout.trim());
}

test.serial('a service process that is killed is started again in its machine', async (t) => {
  const env = environment();
  const before = await env.status();
  const [machine = ''] = machinesOf(before, 'dns');
  const agent = await machinePid(env, machine);
  const service = await until('it runs', () => serviceOf(agent));
  process.kill(service, 'SIGKILL');
  await until('another one runs', () => ![service, null].includes(serviceOf(agent)));
  const after = await env.until('back', settled);
  t.deepEqual(machinesOf(after), machinesOf(before), 'no machine was replaced');
});

test.serial('a machine whose agent alone is killed is dead as a whole: its service is not left over', async (t) => {
  const env = environment();
  const [machine = ''] = machinesOf(await env.status(), 'dns');
  const agent = await machinePid(env, machine);
  const service = await until('it runs', () => serviceOf(agent));
  process.kill(agent, 'SIGKILL');
  await until('its service is gone', () => readStartTime(service) === null);
  const after = await env.until('replaced', (status) => settled(status) && !machinesOf(status).includes(machine));
  t.is(machinesOf(after, 'dns').length, 2);
});

test.serial(
  'a machine that stands still for longer than its session comes back as the one it was (fault 41)',
  async (t) => {
    const env = environment();
    const before = await env.status();
    const [machine = ''] = machinesOf(before, 'domains');
    // Three timeouts, so that the session is surely over; to look for the moment without it could miss it.
    await freeze(-(await machinePid(env, machine)), 3 * sessionTimeoutMs);
    const after = await env.until('back', settled);
    t.deepEqual(machinesOf(after), machinesOf(before), 'it came back within its grace, so none took its place');
  },
);

test.serial(
  'all machines of one service die at once: all come back, and the other services notice nothing (P3)',
  async (t) => {
    t.timeout(120_000);
    const env = environment();
    const before = await env.status();
    const load = startLoad(env.url, [{ method: 'GET', path: '/domains/v1/names' }], { clients: 2, pauseMs: 20 });
    t.teardown(() => void load.stop());
    const dead = machinesOf(before, 'dns');
    await killMachines(env, dead);
    const after = await env.until(
      'replaced',
      (status) => settled(status) && !dead.some((one) => machinesOf(status).includes(one)),
    );
    const seen = await load.stop();
    t.deepEqual(errorAnswers(seen), []);
    t.deepEqual(machinesOf(after, 'domains'), machinesOf(before, 'domains'));
  },
);

test.serial(
  'all machines die at once: desired = live again, with a full pool and none too many (P3, P15, fault 54)',
  async (t) => {
    t.timeout(180_000);
    const env = environment();
    const { stdout } = await env.mcp('machines', '--json');
    const { machines } = JSON.parse(stdout) as { machines: { machine: string; state: string }[] };
    const dead = machines.filter(({ state }) => state !== 'deleting').map(({ machine }) => machine);
    await killMachines(env, dead);
    const after = await env.until(
      'all back',
      (status) =>
        settled(status) &&
        !machinesOf(status).some((machine) => dead.includes(machine)) &&
        status.pool.ready === status.pool.target &&
        status.pool.building === 0,
      120_000,
    );
    t.is(machinesOf(after).length, 6);
    await pause(2 * sessionTimeoutMs);
    t.deepEqual(machinesOf(await env.status()), machinesOf(after), 'no flapping afterwards');
    const kinds = await eventKinds(env);
    t.false(kinds.includes('machine.retired'), 'nothing but the dead was taken away');
  },
);
