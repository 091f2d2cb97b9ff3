import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Time in ms; CPU time in µs and disk traffic in bytes, per operation. */
export interface Cost { operations: number; ms: number; cpu: number; main: number; read: number; written: number }

/** A number of this process from /proc. */
export function procNumber(file: string, field: RegExp): number {
  return Number(field.exec(readFileSync(`/proc/self/${file}`, "latin1"))?.[1] ?? 0);
}

/** Runs work and divides what it cost by the number of operations it reports; wall time leaves out settling. */
export async function measure(work: () => Promise<number>, settling = false): Promise<Cost> {
  const counters = (): number[] => [
    performance.now(), Object.values(process.cpuUsage()).reduce((a, b) => a + b), procNumber("schedstat", /^(\d+)/) / 1000,
    procNumber("io", /^read_bytes: (\d+)/m), procNumber("io", /^write_bytes: (\d+)/m),
  ];
  const before = counters();
  const operations = await work();
  const ms = performance.now() - (before[0] ?? 0);
  if (settling) await settle();
  const [, cpu = 0, main = 0, read = 0, written = 0] = counters().map((value, i) => value - (before[i] ?? 0));
  return { operations, ms, cpu: cpu / operations, main: main / operations, read: read / operations, written: written / operations };
}

/** Waits until background compaction has written nothing for a second. */
async function settle(): Promise<void> {
  for (let quiet = 0, last = -1; quiet < 4;) {
    const now = procNumber("io", /^write_bytes: (\d+)/m);
    quiet = now === last ? quiet + 1 : 0;
    last = now;
    await sleep(250);
  }
}

/** Bytes of all files under a directory. */
export function diskBytes(directory: string): number {
  const entries = readdirSync(directory, { withFileTypes: true });
  return entries.reduce((sum, entry) => sum + (entry.isDirectory() ? diskBytes(join(directory, entry.name)) : statSync(join(directory, entry.name)).size), 0);
}
