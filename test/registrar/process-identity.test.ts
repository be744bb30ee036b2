import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import test from 'ava';
import {
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
    t.false(killGroup({ pid, startTime: 0 }, 'SIGTERM'));
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

test('a group is killed whole while its leader lives, and also while it is a zombie', async (t) => {
  for (const leaderDiesFirst of [false, true]) {
    const group = await startGroup(t);
    // The shell that waits for the leader is stopped, so that it is not reaped.
    if (leaderDiesFirst) {
      process.kill(group.parent, 'SIGSTOP');
      signalProcess(group.leader, 'SIGKILL');
      await until('the leader is dead', () => !isSameProcess(group.leader));
    }
    t.true(killGroup(group.leader, 'SIGKILL'));
    await until('all are dead', () => group.living().length === 0);
  }
});

test('the group of a leader that is gone, or of another one, is left alone; its mark finds what is left', async (t) => {
  const group = await startGroup(t);
  t.false(killGroup({ ...group.leader, startTime: group.leader.startTime + 1 }, 'SIGKILL'));
  signalProcess(group.leader, 'SIGKILL');
  await until('the leader is reaped', () => !existsSync(`/proc/${group.leader.pid}`));
  t.false(killGroup(group.leader, 'SIGKILL'));
  t.is(group.living().length, 1);
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
  const first = readStartTime(pids[0] ?? 0) ?? 0;
  t.is(processesMarked(`MCP_TEST_MARK=${value}`, first).length, 2);
  t.is(processesMarked(`MCP_TEST_MARK=${value}`, first + 1e6).length, 0);
});

/** A leader and one child in a group of their own, and a parent beyond it that reaps the leader. */
async function startGroup(t: { teardown(fn: () => void): void }) {
  const value = randomUUID();
  const inGroup = 'setsid env MCP_TEST_MARK="$0" /bin/sh -c "sleep 1000 & echo \\$\\$; wait" & wait; exec sleep 1000';
  const parent = spawn('/bin/sh', ['-c', inGroup, value], { stdio: ['ignore', 'pipe', 'ignore'] });
  const living = () => processesMarked(`MCP_TEST_MARK=${value}`);
  t.teardown(() => {
    parent.kill('SIGKILL');
    for (const one of living()) signalProcess(one, 'SIGKILL');
  });
  const [said] = await once(parent.stdout, 'data');
  await until('both run', () => living().length === 2);
  const pid = Number(said);
  return { leader: { pid, startTime: readStartTime(pid) ?? 0 }, parent: parent.pid ?? 0, living };
}
