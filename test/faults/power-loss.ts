import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkLoss } from './check-loss.ts';
import type { DiskImage } from './disk-image.ts';
import { Random } from './random.ts';
import type { WriteKind } from './store-writer.ts';
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
  /** States to try altogether; undefined = as many as that makes. */
  readonly most?: number | undefined;
  /** Says when to stop trying; undefined = never. */
  readonly isOver?: (() => boolean) | undefined;
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
  /** How often each kind was written after the last sync, and files that were removed by it or since. */
  made: ReadonlyMap<WriteKind, number>;
  removed: readonly string[];
}

/** What one state of the disk is. */
interface Loss {
  readonly what: string;
  readonly image: DiskImage;
}

/**
 * Writes a store, loses of what was not forced to disk now this and now that, and looks at what is left as `checkLoss` does.
 *
 * @throws Error that names the state, when one is wrong
 */
export async function losePower({ seed, spec, points, most = Number.POSITIVE_INFINITY, isOver = () => false }: PowerLossPlan): Promise<PowerLossReport> {
  const random = new Random(seed);
  const root = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tugela-test-'));
  const report: PowerLossReport = { points: 0, earlier: 0, cut: 0, lostValues: 0, made: new Map(), removed: [] };
  try {
    const store = await writeStore(join(root, 'written'), spec, random);
    report.made = store.made;
    report.removed = [...store.removed.keys()];
    const losses = lossesOf(store, random, points);
    const work = async (): Promise<void> => {
      while (report.points < most && !isOver()) {
        const next = losses.next();
        if (next.done === true) return;
        const number = report.points++;
        try {
          const { isEarlier, isCut, lostValues } = await checkLoss(join(root, String(number)), next.value.image, store);
          if (isEarlier) report.earlier++;
          if (isCut) report.cut++;
          report.lostValues += lostValues;
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
    // What was not forced to disk of a segment has no batch yet where each is forced.
    if (store.syncsEach && names !== logs) changes.push(...logs.map((name): Change => [name, cutOff(syncedOf(name))]));
    // Names that were removed may be back: a directory is not forced to disk for that.
    const back = i % 2 === 0 ? [] : [...store.removed].map(([name, bytes]): Change => [name, Object.assign(() => bytes, { what: 'is back' })]);
    yield lossOf(store, [...changes, ...back].map(([name, change]) => `${name} ${change.what}`).join(', '), [...changes, ...back]);
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
      return cutOff(at);
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

function cutOff(at: number): Damage {
  return Object.assign((bytes: Buffer) => bytes.subarray(0, at), { what: `cut off at ${at}` });
}

function zeros(bytes: Buffer, from: number, to: number): Buffer {
  const changed = Buffer.from(bytes);
  return changed.fill(0, from, to);
}
