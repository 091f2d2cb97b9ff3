import { rm } from 'node:fs/promises';
import type { Item } from '../../src/item.ts';
import { Store } from '../../src/store/store.ts';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { verifyStore } from '../../src/tools/verify-store.ts';
import { type DiskImage, writeImage } from './disk-image.ts';
import { marksOf, type Moment } from './moment.ts';
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
  readonly moment: Moment;
  readonly isCut: boolean;
}

/**
 * Opens a store from what is left of its files, in a directory of its own, and compares it with what was written: it must be
 * the store as of one moment, not before the last write that is safe; but for values that were stored later, which may be misses.
 *
 * @throws Error that says what is wrong
 */
export async function checkLoss(directory: string, image: DiskImage, store: WrittenStore): Promise<LossOutcome> {
  writeImage(image, directory);
  const { values, lost, moment, isCut } = await open(directory, store);
  const write = store.moments.findIndex(({ batch }) => batch === moment.batch);
  if (write < 0) throw new Error(`its batch ${moment.batch} is none that was written`);
  if (write < store.safe) throw new Error(`it is as of write ${write}, but ${store.safe} was safe`);
  const { marks } = store.moments[write]!;
  if (moment.marks !== marks) throw new Error(`as of write ${write} it says ${moment.marks}, and not ${marks}`);
  for (const [key, states] of store.history) {
    const then = states.findLast((state) => state.write <= write);
    if (lost.includes(key)) {
      if (then === undefined || then.placedBy <= store.safe) throw new Error(`as of write ${write} the value of ${key} is gone, but it was safe`);
    } else if (values.get(key) !== then?.value) {
      throw new Error(`as of write ${write} ${key} is ${shown(values.get(key))}, and not ${shown(then?.value)}`);
    }
  }
  await checkWhole(directory);
  await rm(directory, { recursive: true, force: true });
  return { isEarlier: write < store.last, isCut, lostValues: lost.length };
}

function shown(value: string | undefined): string {
  return value === undefined ? 'absent' : `${value.slice(0, 20)} of ${value.length} bytes`;
}

async function open(directory: string, { history }: WrittenStore): Promise<Found> {
  let isCut = false;
  let damaged = 0;
  const opened = await Store.open(directory, {
    blockCacheBytes: 2 ** 20,
    syncEveryBatch: false,
    mustExist: true,
    onFailed: () => undefined,
    onDamaged: () => damaged++,
    onLogCut: ({ aside }) => {
      if (aside !== undefined) isCut = true;
    },
  });
  try {
    const moment = await marksOf(opened);
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
    return { values, lost, moment, isCut };
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
