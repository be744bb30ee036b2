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
  pid: number;
  /** `Z` (zombie) and `X` are dead: nothing of theirs runs. */
  state: string;
  /** Process group. */
  group: number;
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

/** Living processes of a group, the leader included. */
export function groupMembers(group: number): ProcessIdentity[] {
  return allProcesses().filter((stat) => stat.group === group && isAlive(stat));
}

/**
 * Living processes whose environment has this `NAME=value`: it follows a process into any group or session, and only what
 * wipes its environment escapes it.
 */
export function processesMarked(mark: string): ProcessIdentity[] {
  return allProcesses().filter((stat) => stat.pid !== process.pid && isAlive(stat) && environmentHas(stat.pid, mark));
}

/**
 * Signals the whole group that `leader` leads or led. `mark` (`NAME=value`, in the environment of all its members) tells the
 * group's orphans from a new group that took the leader's number after it died; without it orphans of a dead leader are
 * left alone. Returns how many processes the group still had.
 */
export function killGroup(leader: ProcessIdentity, signal: NodeJS.Signals, mark?: string): number {
  const members = groupMembers(leader.pid);
  if (members.length === 0) return 0;
  // While the leader lives, or is a zombie, nobody else can have its number.
  if (readStat(leader.pid)?.startTime === leader.startTime) {
    trySignal(-leader.pid, signal);
    return members.length;
  }
  const orphans = mark === undefined ? [] : members.filter(({ pid }) => environmentHas(pid, mark));
  for (const orphan of orphans) signalProcess(orphan, signal);
  return orphans.length;
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

function allProcesses(): ProcessStat[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readStat(Number(name)) ?? []) : []));
}

function isAlive(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

function readStat(pid: number): ProcessStat | null {
  const text = readProc(pid, 'stat');
  if (text === null) return null;
  // The command's name, in brackets, may hold anything: what follows the last bracket is safe to split.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0] ?? 'X', group: Number(fields[2]), startTime: Number(fields[19]) };
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // Gone, or another user's.
    return null;
  }
}
