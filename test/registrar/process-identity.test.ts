import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import test from 'ava';
import {
  groupMembers,
  isSameProcess,
  killGroup,
  processesMarked,
  readStartTime,
  signalProcess,
} from '../../registrar/process-identity.ts';
import { startSleeper } from '../helpers/sleeper.ts';
import { until } from '../helpers/until.ts';

test('a living process is itself and nobody else', (t) => {
  const sleeper = startSleeper(t);
  t.true(isSameProcess(sleeper));
  t.false(isSameProcess({ ...sleeper, startTime: sleeper.startTime + 1 }));
  t.true(isSameProcess({ pid: process.pid, startTime: readStartTime(process.pid) ?? 0 }));
});

test('no process has the numbers that mean everybody, ourselves or nobody', (t) => {
  for (const pid of [0, -1, Number.NaN, 1.5, 2 ** 31]) {
    t.is(readStartTime(pid), null);
    t.false(signalProcess({ pid, startTime: 0 }, 'SIGTERM'));
    t.is(killGroup({ pid, startTime: 0 }, 'SIGTERM'), 0);
  }
});

test('a process that ended is gone, also while its parent has not looked', async (t) => {
  // The shell's child ends at once and stays a zombie: nobody waits for it.
  const shell = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => void shell.kill('SIGKILL'));
  const zombie = await new Promise<number>((resolve) => {
    shell.stdout.once('data', (chunk) => resolve(Number(chunk)));
  });
  await until('it is dead', () => readStartTime(zombie) === null);
  t.is(readStartTime(zombie), null);
});

test('a name with brackets and spaces does not confuse the reading', (t) => {
  const odd = spawn('sleep', ['1000'], { argv0: 'a) R 1 2 3 (b', stdio: 'ignore' });
  t.teardown(() => void odd.kill('SIGKILL'));
  t.true((readStartTime(odd.pid ?? 0) ?? 0) > 0);
});

test('a signal reaches only the very process', async (t) => {
  const sleeper = startSleeper(t);
  t.false(signalProcess({ ...sleeper, startTime: 1 }, 'SIGKILL'));
  t.true(isSameProcess(sleeper));
  t.true(signalProcess(sleeper, 'SIGKILL'));
  await until('it is dead', () => !isSameProcess(sleeper));
  t.false(signalProcess(sleeper, 'SIGKILL'));
});

test('a group is killed whole while its leader lives', async (t) => {
  const { leader } = await startGroup(t, {});
  t.is(groupMembers(leader.pid).length, 2);
  t.is(killGroup(leader, 'SIGKILL'), 2);
  await until('all are dead', () => groupMembers(leader.pid).length === 0);
  t.is(killGroup(leader, 'SIGKILL'), 0);
});

test('orphans of a dead leader are killed only if they carry its mark', async (t) => {
  const mark = `MCP_TEST_MARK=${randomUUID()}`;
  const { leader, reaped } = await startGroup(t, { MCP_TEST_MARK: mark.split('=')[1] ?? '' });
  signalProcess(leader, 'SIGKILL');
  await reaped;
  t.is(killGroup(leader, 'SIGKILL'), 0);
  t.is(killGroup(leader, 'SIGKILL', 'MCP_TEST_MARK=another'), 0);
  t.is(groupMembers(leader.pid).length, 1);
  t.is(killGroup(leader, 'SIGKILL', mark), 1);
  await until('the orphan is dead', () => groupMembers(leader.pid).length === 0);
});

test('marked processes are found in any group', (t) => {
  const value = randomUUID();
  const pids = [true, false].map((detached) => startSleeper(t, { detached, env: { MCP_TEST_MARK: value } }).pid);
  t.deepEqual(
    processesMarked(`MCP_TEST_MARK=${value}`)
      .map(({ pid }) => pid)
      .sort(),
    pids.sort(),
  );
  t.deepEqual(processesMarked(`MCP_TEST_MARK=${value.slice(1)}`), []);
});

/** A leader and one child in a group of their own. */
async function startGroup(t: { teardown(fn: () => void): void }, env: Record<string, string>) {
  const child = spawn('/bin/sh', ['-c', 'sleep 1000 & wait'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ...env },
  });
  const reaped = once(child, 'exit');
  const leader = { pid: child.pid ?? 0, startTime: readStartTime(child.pid ?? 0) ?? 0 };
  const [first, second] = await until('both run', () => {
    const members = groupMembers(leader.pid);
    return members.length === 2 && members;
  });
  t.teardown(() => {
    for (const member of [first, second]) if (member) signalProcess(member, 'SIGKILL');
  });
  return { leader, reaped };
}
