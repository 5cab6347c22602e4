// SPDX-License-Identifier: Apache-2.0
// What runs, from /proc: who works for a state directory and who descends from a process. A process is
// its id and its start time, so that an id used again is not taken for it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks after boot. */
  readonly startedAt: string;
  readonly command: string;
  readonly directory: string;
}

function readProcess(pid: number): RunningProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return {
      pid,
      parent: Number(fields[1]),
      startedAt: fields[19] ?? '',
      command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim(),
      directory: readDirectory(pid),
    };
  } catch {
    return undefined; // it ended while we looked
  }
}

function readDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** All processes of this machine. */
export function listProcesses(): readonly RunningProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** Processes that name a directory in their arguments or stand in it. */
export function findUsers(directory: string): readonly RunningProcess[] {
  return listProcesses().filter(
    ({ pid, command, directory: stands }) =>
      pid !== process.pid &&
      (command.includes(directory) || stands === directory || stands.startsWith(`${directory}/`)),
  );
}

/** A process and everything that descends from it. */
export function findFamily(pid: number): readonly RunningProcess[] {
  const all = listProcesses();
  const family = new Set([pid]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const one of all) if (family.has(one.parent)) family.add(one.pid);
  }
  return all.filter((one) => family.has(one.pid));
}

/** Those of them that still run. */
export function stillRunning(processes: readonly RunningProcess[]): readonly RunningProcess[] {
  return processes.filter(({ pid, startedAt }) => readProcess(pid)?.startedAt === startedAt);
}

/** Resident memory of a process in bytes, as the kernel counts it. */
export function readResidentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line?.[1] === undefined) throw new Error(`no resident size for process ${pid}`);
  return Number(line[1]) * 1024;
}
