import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../../src/store/store.ts';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { verifyStore } from '../../src/tools/verify-store.ts';
import { type DiskImage, writeImage } from './disk-image.ts';
import { Random } from './random.ts';
import { type WriteSpec, type WrittenStore, writeStore } from './written-store.ts';

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
/** Of the losses that are drawn, not counted through. */
const OTHERS_MOST = 1000;
/** States tried side by side. */
const AT_ONCE = 4;

export interface PowerLossPlan {
  readonly seed: number;
  readonly spec: WriteSpec;
  /** States to try for each way to lose data; Infinity = LevelDB's log cut off at every byte of its tail. */
  readonly points: number;
}

/** What became of the states that were tried. */
export interface PowerLossReport {
  /** States tried. All opened. */
  points: number;
  /** Of them, those that were as of an earlier moment than the last write. */
  earlier: number;
  /** Of them, those where writes behind a hole were set aside. */
  cut: number;
  /** Values that were gone with their segments, and answered as misses. */
  lostValues: number;
}

/** What one state of the disk is. */
interface Loss {
  readonly what: string;
  readonly image: DiskImage;
}

/**
 * Writes a store, loses of what was not forced to disk now this and now that, opens what is left, and compares it with
 * what was written: it must be the store as of one moment, not before the last write that is safe; but for values whose
 * segment lost them, which must be misses.
 *
 * @throws Error that names the state, when one is wrong
 */
export async function losePower({ seed, spec, points }: PowerLossPlan): Promise<PowerLossReport> {
  const random = new Random(seed);
  const root = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tugela-test-'));
  const report: PowerLossReport = { points: 0, earlier: 0, cut: 0, lostValues: 0 };
  try {
    const store = await writeStore(join(root, 'written'), spec, random);
    const losses = lossesOf(store, random, points);
    const work = async (): Promise<void> => {
      for (let next = losses.next(); next.done !== true; next = losses.next()) {
        const number = report.points++;
        try {
          await tryLoss(join(root, String(number)), next.value, store, report);
        } catch (cause) {
          throw new Error(`seed ${seed}, state ${number}: ${next.value.what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
        }
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return report;
}

function* lossesOf(store: WrittenStore, random: Random, points: number): Generator<Loss, void, undefined> {
  const logs = [...store.written.keys()].filter((name) => name.endsWith('.log'));
  const segments = [...store.written.keys()].filter((name) => name.endsWith('.values'));
  const syncedOf = (name: string): number => store.synced.get(name)?.length ?? 0;
  const sizeOf = (name: string): number => store.written.get(name)?.length ?? 0;
  for (const name of logs) {
    const every = sizeOf(name) - syncedOf(name) + 1;
    for (let i = 0; i < Math.min(points, every); i++) {
      const at = points >= every ? syncedOf(name) + i : random.between(syncedOf(name), sizeOf(name));
      yield lossOf(store, `${name} cut off at ${at}`, [[name, (bytes) => bytes.subarray(0, at)]]);
      yield lossOf(store, `${name} zeros from ${at}`, [[name, (bytes) => zeros(bytes, at, bytes.length)]]);
    }
  }
  const all = [...logs, ...segments];
  for (let i = 0; i < Math.min(points, OTHERS_MOST); i++) {
    // Now in one kind of file, now in all.
    const names = [logs, segments, all][i % 3]!;
    const changes: Change[] = names.map((name) => [name, damageOf(random, syncedOf(name), sizeOf(name), !name.endsWith('.log') && !store.synced.has(name))]);
    yield lossOf(store, changes.map(([name, change]) => `${name} ${change.what}`).join(', '), changes);
  }
}

interface Damage {
  (bytes: Buffer): Buffer | undefined;
  what?: string;
}

type Change = readonly [name: string, change: Damage];

function lossOf({ written }: WrittenStore, what: string, changes: readonly Change[]): Loss {
  const image = new Map(written);
  for (const [name, change] of changes) {
    const bytes = change(image.get(name) ?? Buffer.alloc(0));
    if (bytes === undefined) image.delete(name);
    else image.set(name, bytes);
  }
  return { what, image };
}

/** One way to lose what a file has behind `synced`. */
function damageOf(random: Random, synced: number, size: number, mayVanish: boolean): Damage {
  const at = random.between(synced, size);
  const choice = random.between(mayVanish ? 0 : 1, 5);
  switch (choice) {
    case 0:
      return Object.assign(() => undefined, { what: 'gone' });
    case 1:
      return Object.assign((bytes: Buffer) => bytes, { what: 'whole' });
    case 2:
      return Object.assign((bytes: Buffer) => bytes.subarray(0, at), { what: `cut off at ${at}` });
    case 3:
      return Object.assign((bytes: Buffer) => zeros(bytes, at, bytes.length), { what: `zeros from ${at}` });
    default: {
      // Sectors or pages that were not written, while later ones were.
      const unit = choice === 4 ? SECTOR_BYTES : PAGE_BYTES;
      const holes: number[] = [];
      for (let from = Math.ceil(synced / unit) * unit; from < size; from += unit) if (random.chance(0.15)) holes.push(from);
      const change = (bytes: Buffer): Buffer => {
        let left = bytes;
        for (const from of holes) left = zeros(left, from, Math.min(from + unit, bytes.length));
        return left;
      };
      return Object.assign(change, { what: `${unit} zeros at ${holes.join(' ')}` });
    }
  }
}

function zeros(bytes: Buffer, from: number, to: number): Buffer {
  const changed = Buffer.from(bytes);
  return changed.fill(0, from, to);
}

async function tryLoss(directory: string, { image }: Loss, store: WrittenStore, report: PowerLossReport): Promise<void> {
  writeImage(image, directory);
  const found = new Map<string, string | undefined>();
  let damaged = 0;
  const opened = await Store.open(directory, {
    blockCacheBytes: 2 ** 20,
    syncEveryBatch: false,
    mustExist: true,
    onFailed: () => undefined,
    onDamaged: () => damaged++,
    onLogCut: ({ aside }) => {
      if (aside !== undefined) report.cut++;
    },
  });
  try {
    const keys = [...store.history.keys()];
    const items = await opened.fetch(keys);
    for (const [i, key] of keys.entries()) {
      const item = items[i];
      const before = damaged;
      const value = item === undefined ? undefined : await opened.readValue(key, item);
      if (damaged === before) found.set(key, value?.toString());
      else if ((store.history.get(key)?.at(-1)?.write ?? 0) <= store.safe) throw new Error(`the value of ${key} is gone, but it was safe`);
    }
  } finally {
    await opened.close();
  }
  const moment = momentOf(store, found);
  if (moment === undefined) throw new Error(`what is left is of no one moment: ${JSON.stringify([...found].map(([key, value]) => [key, value?.slice(0, 20)]))}`);
  if (moment < store.safe) throw new Error(`it is as of write ${moment}, but ${store.safe} was safe`);
  if (moment < store.last) report.earlier++;
  report.lostValues += damaged;
  await checkWhole(directory);
  await rm(directory, { recursive: true, force: true });
}

/** The latest write after which the store held what was found; undefined when there is none. */
function momentOf({ history, last }: WrittenStore, found: ReadonlyMap<string, string | undefined>): number | undefined {
  for (let write = last; write >= 0; write--) {
    const isThen = [...found].every(([key, value]) => history.get(key)?.findLast((state) => state.write <= write)?.value === value);
    if (isThen) return write;
  }
  return undefined;
}

/** Items, index, segments and counters must agree; but for values that are gone. */
async function checkWhole(directory: string): Promise<void> {
  const reader = await StoreReader.open(directory);
  try {
    const findings = new Findings(1000);
    await verifyStore(reader, { findings });
    const wrong = findings.shown.filter((finding) => !/^item \S+: its value /.test(finding) && !finding.endsWith('does not begin as a segment does'));
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  } finally {
    await reader.close();
  }
}
