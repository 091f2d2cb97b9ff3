import { rm } from 'node:fs/promises';
import type { Item } from '../../src/item.ts';
import { Store } from '../../src/store/store.ts';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { verifyStore } from '../../src/tools/verify-store.ts';
import { type DiskImage, writeImage } from './disk-image.ts';
import { marksIn } from './moment.ts';
import type { WrittenStore } from './written-store.ts';

/** What one state of the disk came to. */
export interface LossOutcome {
  /** The store is as of an earlier moment than the last write. */
  readonly isEarlier: boolean;
  /** Writes behind a hole were set aside. */
  readonly isCut: boolean;
  /** Values that are gone with their segments, and answered as misses. */
  readonly lostValues: number;
}

interface Found {
  /** What keys hold; those whose values are gone are left out. */
  readonly values: ReadonlyMap<string, string | undefined>;
  readonly lost: readonly string[];
}

/**
 * Opens a store from what is left of its files, in a directory of its own, and compares it with what was written: its rows must be
 * as of one moment, not before the last write that is safe, and its items as of that moment, or of a later one up to which nothing
 * but values was stored and moved; but for values that were stored after what is safe, which may be misses.
 *
 * @throws Error that says what is wrong
 */
export async function checkLoss(directory: string, image: DiskImage, store: WrittenStore): Promise<LossOutcome> {
  writeImage(image, directory);
  let isCut = false;
  const moment = await marksIn(directory, () => (isCut = true));
  const from = store.moments.findLastIndex(({ batch }) => batch === moment.batch);
  if (from < 0) throw new Error(`its batch ${moment.batch} is none that was written`);
  if (from < store.safe) throw new Error(`it is as of write ${from}, but ${store.safe} was safe`);
  const { marks } = store.moments[from]!;
  if (moment.marks !== marks) throw new Error(`as of write ${from} it says ${moment.marks}, and not ${marks}`);
  const found = await open(directory, store);
  let write = from;
  for (let fault = faultAt(write, found, store); fault !== undefined; fault = faultAt(write, found, store)) {
    write++;
    if (write > store.last || !store.told.has(write)) throw new Error(`after write ${from}: ${faultAt(from, found, store)}`);
  }
  await checkWhole(directory);
  await rm(directory, { recursive: true, force: true });
  return { isEarlier: write < store.last, isCut, lostValues: found.lost.length };
}

/** What speaks against the store being as of a write. */
function faultAt(write: number, { values, lost }: Found, { history, safe }: WrittenStore): string | undefined {
  for (const [key, states] of history) {
    const then = states.findLast((state) => state.write <= write);
    if (lost.includes(key)) {
      if (then === undefined || then.placedBy <= safe) return `as of write ${write} the value of ${key} is gone, but it was safe`;
    } else if (values.get(key) !== then?.value) {
      return `as of write ${write} ${key} is ${shown(values.get(key))}, and not ${shown(then?.value)}`;
    }
  }
  return undefined;
}

function shown(value: string | undefined): string {
  return value === undefined ? 'absent' : `${value.slice(0, 20)} of ${value.length} bytes`;
}

async function open(directory: string, { history }: WrittenStore): Promise<Found> {
  let damaged = 0;
  const opened = await Store.open(directory, {
    blockCacheBytes: 2 ** 20,
    syncEveryBatch: false,
    mustExist: true,
    onFailed: () => undefined,
    onDamaged: () => damaged++,
  });
  try {
    const values = new Map<string, string | undefined>();
    const lost: string[] = [];
    const keys = [...history.keys()];
    const items = await opened.fetch(keys);
    for (const [i, key] of keys.entries()) {
      const item = items[i];
      const before = damaged;
      const value = item === undefined || isFlushed(opened, item) ? undefined : await opened.readValue(key, item);
      if (damaged > before) lost.push(key);
      else values.set(key, value?.toString());
    }
    return { values, lost };
  } finally {
    await opened.close();
  }
}

function isFlushed({ state }: Store, { cas }: Item): boolean {
  return cas <= state.flushCas;
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
