import { itemOf, keyOf, type Random, random } from "./data.ts";
import { startEvicting } from "./evict.ts";
import { BATCH, found, type Mode, parseLayout } from "./layout.ts";
import { type Cost, diskBytes, measure, procNumber } from "./measure.ts";
import { storeFor } from "./segment-store.ts";
import type { Store } from "./store.ts";

const COLD_MS = 4000;

/** What a worker is to do. */
export interface Job { task: "layout" | "restart"; name: string; directory: string; items: number; bytes: number; evictMs: number }

async function fill(store: Store, count: number, bytes: number): Promise<number> {
  for (let id = 0; id < count; id += BATCH) {
    await store.write(Array.from({ length: Math.min(BATCH, count - id) }, (_, i) => itemOf(id + i, bytes, 0)), false);
  }
  return count;
}

async function overwrite(store: Store, count: number, items: number, bytes: number): Promise<number> {
  const next = random(3);
  for (let done = 0; done < count; done += BATCH) {
    const ids = new Set(Array.from({ length: BATCH }, () => next(items)));
    await store.write([...ids].map((id) => itemOf(id, bytes, 1)), true);
  }
  return count;
}

/** Gets batches of random items until so many are read or so much time has passed. */
async function randomGets(store: Store, next: Random, items: number, bytes: number, mode: Mode, count: number, ms = Infinity): Promise<number> {
  let done = 0;
  for (const end = performance.now() + ms; done < count && performance.now() < end; done += BATCH) {
    const values = await store.get(Array.from({ length: BATCH }, () => keyOf(next(items))), mode);
    if (values.some((value) => value.length !== bytes)) throw new Error("wrong value");
  }
  return done;
}

const milli = (n: number): string => (n / 1e6).toFixed(0);
const rate = ({ operations, ms }: Cost): string => ((operations / ms) * 1000).toFixed(0);
const bytesText = (n: number): string => (n < 10_000 ? n.toFixed(0) : `${(n / 1000).toFixed(0)} k`);
const cpu = (cost: Cost): string => `${cost.cpu.toFixed(1)} (${cost.main.toFixed(1)})`;
const median = (costs: readonly Cost[]): Cost => found(costs.toSorted((a, b) => a.cpu - b.cpu)[costs.length >> 1]);

/** One layout with items of one size: the cells of its row in the table. Ends only when killed. */
export async function runLayout({ name, directory, items, bytes, evictMs }: Job): Promise<Record<string, string>> {
  const layout = parseLayout(name);
  const store = storeFor(layout, directory);
  await store.open();
  const cells: Record<string, string> = {};
  const note = async (what: string, work: () => Promise<number>): Promise<void> => {
    const cost = await measure(work, true);
    cells[`${what}: cpu (main), /s, written`] = `${cpu(cost)}, ${rate(cost)}, ${bytesText(cost.written)}`;
  };
  await note("fill", () => fill(store, items, bytes));
  cells["disk MB"] = milli(diskBytes(directory));
  const next = random(2);
  const modes: readonly Mode[] = layout.placement === "out" ? ["sync", "many+async", "many+sync"] : ["sync", "many+sync"];
  const count = Math.min(20_000, items);
  const warm = new Map<Mode, Cost[]>(modes.map((mode) => [mode, []]));
  await randomGets(store, next, items, bytes, "many+sync", 2 * count);
  for (let round = 0; round < 3; round++) {
    for (const [mode, costs] of warm) costs.push(await measure(() => randomGets(store, next, items, bytes, mode, count)));
  }
  for (const [mode, costs] of warm) cells[`warm ${mode}: cpu (main), /s`] = `${cpu(median(costs))}, ${rate(median(costs))}`;
  const evicting = evictMs > 0 ? await startEvicting(directory, evictMs) : undefined;
  if (evicting !== undefined) {
    for (const mode of [...modes, "each+async"] as const) {
      const cost = await measure(() => randomGets(store, next, items, bytes, mode, Infinity, COLD_MS));
      cells[`cold ${mode}: /s, read, cpu`] = `${rate(cost)}, ${bytesText(cost.read)}, ${cost.cpu.toFixed(0)}`;
    }
    evicting.kill();
  }
  await note("overwrite", () => overwrite(store, Math.floor(items / 5), items, bytes));
  const before = diskBytes(directory);
  await note("expire", () => store.expire(2000));
  const between = diskBytes(directory);
  let moved = 0;
  const reclaimed = await measure(async () => { moved = await store.reclaim(); return 1; });
  cells["MB before → expired → reclaimed"] = `${milli(before)} → ${milli(between)} → ${milli(diskBytes(directory))}`;
  cells["reclaim s, cpu s, MB moved, MB written"] =
    `${(reclaimed.ms / 1000).toFixed(1)}, ${(reclaimed.cpu / 1e6).toFixed(1)}, ${milli(moved)}, ${milli(reclaimed.written)}`;
  cells["VmRSS, RssAnon MB"] = ["VmRSS", "RssAnon"].map((field) => (procNumber("status", new RegExp(`^${field}:\\s+(\\d+)`, "m")) / 1024).toFixed(0)).join(", ");
  return cells;
}

/** Milliseconds from opening to the first hit. */
export async function restart({ name, directory }: Job): Promise<string> {
  const start = performance.now();
  const store = storeFor(parseLayout(name), directory);
  await store.open();
  await store.get([keyOf(1)], "sync");
  return (performance.now() - start).toFixed(0);
}
