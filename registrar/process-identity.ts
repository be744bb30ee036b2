/**
 * Who a process is, beyond a number that is used again: pid and start time together. Everything that signals a process it did
 * not just spawn goes through here, so that a reused pid is never hit (P1). Linux only: it reads /proc.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat. Fork sets it; exec does not change it. */
  startTime: number;
}

interface ProcessStat {
  /** `Z` (zombie) and `X` are dead: nothing of theirs runs. `T` and `t` live and stand still: a signal or a debugger stopped them. */
  state: string;
  startTime: number;
}

/** Start time of a living process, or null where there is none (a zombie is none). */
export function readStartTime(pid: number): number | null {
  const stat = readStat(pid);
  return stat && isAlive(stat) ? stat.startTime : null;
}

/** True while exactly this process lives. */
export function isSameProcess(identity: ProcessIdentity): boolean {
  return readStartTime(identity.pid) === identity.startTime;
}

/** True where exactly this process lives and stands still: it was stopped (SIGSTOP), answers nothing, and still dies when killed. */
export function standsStill({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat?.startTime === startTime && (stat.state === 'T' || stat.state === 't');
}

/**
 * Living processes whose environment has this `NAME=value`: it follows a process into any group or session, and only what
 * wipes its environment escapes it. `since`: the start time of the first that can have it, which spares reading the older.
 */
export function processesMarked(mark: string, since = 0): ProcessIdentity[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!/^\d+$/.test(name) || pid === process.pid) return [];
    const startTime = readStartTime(pid);
    return startTime !== null && startTime >= since && environmentHas(pid, mark) ? { pid, startTime } : [];
  });
}

/**
 * Signals the whole group of a leader that lives, or that is a zombie: until it is reaped nobody else can have its number.
 * After that the number may be another group's, so nothing is done; what it left is found by a mark.
 */
export function killGroup(leader: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return readStat(leader.pid)?.startTime === leader.startTime && trySignal(-leader.pid, signal);
}

/** Signals this process if it is still the same; false if it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isSameProcess(identity) && trySignal(identity.pid, signal);
}

function trySignal(target: number, signal: NodeJS.Signals): boolean {
  // -1, 0 and 1 mean everybody, ourselves and init to kill(2).
  if (!Number.isInteger(target) || Math.abs(target) <= 1) return false;
  try {
    process.kill(target, signal);
    return true;
  } catch {
    // Ended between the look and the signal.
    return false;
  }
}

function environmentHas(pid: number, mark: string): boolean {
  return (readProc(pid, 'environ') ?? '').split('\0').includes(mark);
}

function isAlive(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

function readStat(pid: number): ProcessStat | null {
  const text = readProc(pid, 'stat');
  if (text === null) return null;
  // The command's name, in brackets, may hold anything: what follows the last bracket is safe to split.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? 'X', startTime: Number(fields[19]) };
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // Gone, or another user's.
    return null;
  }
}
