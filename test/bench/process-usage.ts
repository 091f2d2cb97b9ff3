import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the processes of a session have used so far. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Fields of /proc/PID/stat after the command's name, counted from the state (proc(5)). */
const SESSION = 3;
const MAJOR_FAULTS = 9;
const FIRST_TIME = 11;
const AFTER_TIMES = 15;
/** Fields of the first line of /proc/stat, counted from `user`: all but idle, iowait and what guests repeat. */
const BUSY_FIELDS = [0, 1, 2, 5, 6, 7];

let ticksPerSecond: number | undefined;

/** Clock ticks in which the kernel tells CPU time, per second. */
export function clockTicks(): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticksPerSecond;
}

/** CPU time and memory of the session that process `leader` leads: itself and its children, with the ended ones' time. */
export function sessionUsage(leader: number): Usage {
  let ticks = 0;
  let rssBytes = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statFields(name);
    if (fields === undefined || Number(fields[SESSION]) !== leader) continue;
    for (const field of fields.slice(FIRST_TIME, AFTER_TIMES)) ticks += Number(field);
    rssBytes += residentBytes(name);
  }
  return { cpuSeconds: ticks / clockTicks(), rssBytes };
}

/** Seconds of CPU time that one process has used so far, without its children. */
export function processCpuSeconds(pid: number): number {
  const [user, system] = statFields(String(pid))?.slice(FIRST_TIME, FIRST_TIME + 2) ?? [];
  return (Number(user ?? 0) + Number(system ?? 0)) / clockTicks();
}

/** What held up the main thread of a process so far. */
export interface MainThreadWaits {
  /** Seconds in which it was ready to run and others had the cores; 0 where the kernel does not count them. */
  readonly readySeconds: number;
  /** Times that it waited for a page to come from a disk. */
  readonly majorFaults: number;
}

/** What has held up a process's main thread until now; 0 of what the kernel does not tell, and of a process that has ended. */
export function mainThreadWaits(pid: number): MainThreadWaits {
  const thread = `${pid}/task/${pid}`;
  let nanoseconds = 0;
  try {
    nanoseconds = Number(readFileSync(`/proc/${thread}/schedstat`, 'utf8').split(' ')[1]);
  } catch {
    // As the function says.
  }
  return { readySeconds: nanoseconds / 1e9, majorFaults: Number(statFields(thread)?.[MAJOR_FAULTS] ?? 0) };
}

/** Seconds of CPU time of those children of this process that have ended and been waited for. */
export function endedChildrenCpuSeconds(): number {
  const [user, system] = statFields('self')?.slice(FIRST_TIME + 2, AFTER_TIMES) ?? [];
  return (Number(user ?? 0) + Number(system ?? 0)) / clockTicks();
}

/** Seconds of CPU time that all processes of the machine have used since it started. */
export function machineCpuSeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
  return BUSY_FIELDS.reduce((sum, field) => sum + (fields[field] ?? 0), 0) / clockTicks();
}

function statFields(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // It ended meanwhile.
  }
}

function residentBytes(pid: string): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
