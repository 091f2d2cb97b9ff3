/**
 * Compares ways of laying out items on disk: where the value of an item lives, and with which LevelDB options.
 *
 *   inline   row = metadata + value
 *   out      row = metadata + pointer; values are appended to 64 MiB segment files before the batch is written
 *   seq      row = metadata + sequence number; value in LevelDB under `v` + sequence number, in the same batch
 *
 * Every layout writes batches of 50 items, one in flight, and in the same batch packed rows of an expiry index
 * (one per batch and expiry bucket) for the half of the items that expire. A layout may carry options, as in
 * `out:block=2048:buffer=16`: cache, buffer, file (MiB), block (bytes), compress, chained (0 or 1), split (0 or
 * 1: items that expire get segments of their own).
 *
 * Measured per layout and item size, each in a process of its own: filling, random gets with the page cache warm
 * and with the data kept out of it (Linux with python3, as root), overwriting a fifth of the items after reading
 * their rows, expiring half of the items through the index, getting the space back (dropping and relocating
 * segments, or compacting), and after kill -9 the time from opening to the first hit. Gets go in batches of 50:
 *
 *   sync        getSync, and readSync of the value       many+sync    one getMany, and readSync of each value
 *   many+async  one getMany, and 50 reads in flight      each+async   50 gets in flight, each followed by a read
 *
 * "cpu" is the CPU time of the process with all its threads, "main" that of its main thread alone, in µs per
 * operation; "read" and "written" are bytes of disk traffic per operation, from /proc/self/io. Both include the
 * compaction that follows, rates (/s) do not. Keys, values and order of access come from fixed seeds.
 * `--evict-ms` is the pause between evictions; `--threshold-sweep` compares inline with out for small values.
 *
 *   node dist/test/bench/layouts.js --items-1k 1500000 --items-32k 48000 --layouts inline,out,seq --dir layouts-data
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Job, restart, runLayout } from "./layouts/run-layout.ts";

/** A table with a column for each layout. */
function markdown(title: string, rows: readonly Record<string, string>[]): string {
  const widest = rows.toSorted((a, b) => Object.keys(b).length - Object.keys(a).length);
  const names = [...new Set(widest.flatMap((row) => Object.keys(row)))];
  const lines = names.map((name) => `| ${[name, ...rows.map((row) => row[name] ?? "")].join(" | ")} |`);
  return [`\n### ${title}\n`, lines[0], `|${" --- |".repeat(rows.length + 1)}`, ...lines.slice(1)].join("\n");
}

/** Runs this program again as a worker and gives its first message; the worker is killed then. */
function runWorker<T>(job: Job): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [import.meta.filename, "--job", JSON.stringify(job)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    let message: T | undefined;
    child.once("message", (value) => { message = value as T; child.kill("SIGKILL"); });
    child.once("exit", () => (message === undefined ? reject(new Error(`failed: ${job.task} ${job.name}`)) : resolve(message)));
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      "items-1k": { type: "string", default: "1500000" },
      "items-32k": { type: "string", default: "48000" },
      "layouts": { type: "string", default: "out,out:chained=0,out:split=1,inline,inline:file=32:buffer=16,inline:file=32:buffer=16:compress=0,seq" },
      "dir": { type: "string", default: "layouts-data" },
      "evict-ms": { type: "string", default: "100" },
      "threshold-sweep": { type: "boolean", default: false },
      "job": { type: "string" },
    },
  });
  if (values.job !== undefined) {
    const job = JSON.parse(values.job) as Job;
    process.once("disconnect", () => process.exit(1));
    process.send?.(job.task === "restart" ? await restart(job) : await runLayout(job));
    setInterval(() => {}, 1000); // Until the parent's kill -9.
    return;
  }
  mkdirSync(values.dir, { recursive: true });
  const directory = join(values.dir, "layout");
  const table = async (layouts: string, items: number, bytes: number, evictMs: number): Promise<void> => {
    const rows: Record<string, string>[] = [];
    for (const name of layouts.split(",")) {
      if (existsSync(directory)) throw new Error(`${directory} exists`);
      const job = { name, directory, items, bytes, evictMs };
      const cells = await runWorker<Record<string, string>>({ ...job, task: "layout" });
      rows.push({ layout: name, ...cells, "first hit after kill -9, ms": await runWorker<string>({ ...job, task: "restart" }) });
      console.error(JSON.stringify(rows.at(-1)));
      rmSync(directory, { recursive: true });
    }
    console.log(markdown(`${items} items of ${bytes} bytes`, rows));
  };
  for (const [items, bytes] of [[values["items-1k"], 1024], [values["items-32k"], 32_768]] as const) {
    if (Number(items) > 0) await table(values.layouts, Number(items), bytes, Number(values["evict-ms"]));
  }
  for (const bytes of values["threshold-sweep"] ? [64, 128, 256, 512, 1024, 2048] : []) {
    await table("inline:cache=32:buffer=8:file=8,out:cache=32:buffer=8:file=8", 300_000, bytes, 0);
  }
}

await main();
