import { readdirSync, readFileSync } from 'node:fs';

/** What processes had the kernel do (proc(5), /proc/PID/io). */
export interface IoCounters {
  /** Bytes that came from a disk; what lay in the page cache does not count. */
  readonly readBytes: number;
  /** Bytes that are to go to a disk: pages made dirty, whether they were written by now or not. */
  readonly writeBytes: number;
  /** Bytes given to write(2) and its like, sockets included. */
  readonly writtenChars: number;
}

/** Reads the text of /proc/PID/io; undefined when a counter is missing. */
export function parseIoCounters(text: string): IoCounters | undefined {
  const counter = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const counters = { readBytes: counter('read_bytes'), writeBytes: counter('write_bytes'), writtenChars: counter('wchar') };
  return Object.values(counters).some(Number.isNaN) ? undefined : counters;
}

/** Adds counters up. */
export function addIo(a: IoCounters, b: IoCounters): IoCounters {
  return { readBytes: a.readBytes + b.readBytes, writeBytes: a.writeBytes + b.writeBytes, writtenChars: a.writtenChars + b.writtenChars };
}

/** The counters of one process and its ended children; undefined when the kernel does not tell. */
export function processIo(pid: number | 'self'): IoCounters | undefined {
  try {
    return parseIoCounters(readFileSync(`/proc/${pid}/io`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The counters of a session: its leader, all it started, and those that ended. Undefined when the kernel does not tell. */
export function sessionIo(leader: number): IoCounters | undefined {
  let sum: IoCounters | undefined;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || sessionOf(name) !== leader) continue;
    const counters = processIo(Number(name));
    if (counters !== undefined) sum = sum === undefined ? counters : addIo(sum, counters);
  }
  return sum;
}

function sessionOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[3]);
  } catch {
    return undefined; // It ended meanwhile.
  }
}
