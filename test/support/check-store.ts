import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { expect } from 'vitest';
import type { Item } from '../../src/item.ts';
import { readDueRowKey, unpackKeys } from '../../src/store/due-row.ts';
import { readItemRow } from '../../src/store/item-row.ts';
import { DUE, ITEM, keyOfItem, META, SEGMENT, STATE_KEY } from '../../src/store/keys.ts';
import { SegmentTable } from '../../src/store/segment-table.ts';
import { decodeState, type StoreState } from '../../src/store/state-row.ts';
import { bucketDeadline } from '../../src/store/ttl-bucket.ts';
import { valueOfRecord } from '../../src/store/value-record.ts';

/** What a store's directory holds, read without the store. */
export interface StoreContents {
  readonly items: ReadonlyMap<string, Item>;
  readonly state: StoreState;
  /** Places where items, index, segments and counters contradict each other. */
  readonly faults: readonly string[];
}

/** Expects that items, index, segments and counters of a closed store agree; returns what is in it. */
export async function checkStore(directory: string): Promise<StoreContents> {
  const contents = await readContents(directory);
  expect(contents.faults).toEqual([]);
  return contents;
}

/** Reads everything in a closed store's directory and compares it with itself. */
export async function readContents(directory: string): Promise<StoreContents> {
  const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  await db.open();
  try {
    return await examine(directory, db);
  } finally {
    await db.close();
  }
}

async function examine(directory: string, db: ClassicLevel<Buffer, Buffer>): Promise<StoreContents> {
  const faults: string[] = [];
  const items = new Map<string, Item>();
  const listed = new Set<string>();
  const segments = new SegmentTable();
  const recount = new Map<number, { liveBytes: number; liveItems: number }>();
  let indexEntries = 0;
  let earliest = Number.POSITIVE_INFINITY;
  let bytes = 0;
  let highestCas = 0;
  let highestSegment = 0;
  const stateRow = await db.get(STATE_KEY);
  const state = decodeState(stateRow ?? Buffer.alloc(0));
  for await (const [key, value] of db.iterator()) {
    switch (key[0]) {
      case ITEM: {
        const name = keyOfItem(key);
        const item = readItemRow(value, name.length);
        if (item === undefined) faults.push(`item ${name} is damaged`);
        else items.set(name, item);
        break;
      }
      case DUE: {
        const row = readDueRowKey(key);
        if (row === undefined) {
          faults.push('an index row has no readable key');
          break;
        }
        earliest = Math.min(earliest, row.deadline);
        for (const name of unpackKeys(value)) {
          indexEntries++;
          listed.add(`${row.deadline} ${row.shift} ${name}`);
        }
        break;
      }
      case SEGMENT:
        segments.load(key, value);
        break;
      case META:
        break;
      default:
        faults.push(`row ${key.toString('hex')} is of no known kind`);
    }
  }
  for (const [name, item] of items) {
    bytes += name.length + item.length;
    highestCas = Math.max(highestCas, item.cas);
    if (item.expiresAt !== 0 && !listed.has(`${bucketDeadline(item.expiresAt, item.ttlShift)} ${item.ttlShift} ${name}`)) {
      faults.push(`item ${name} is not listed in its bucket`);
    }
    if (item.place === undefined) continue;
    const { segment, offset, size } = item.place;
    highestSegment = Math.max(highestSegment, segment);
    const use = recount.get(segment) ?? { liveBytes: 0, liveItems: 0 };
    recount.set(segment, { liveBytes: use.liveBytes + size, liveItems: use.liveItems + 1 });
    let value: Buffer | undefined;
    try {
      const file = readFileSync(join(directory, 'values', `${String(segment).padStart(6, '0')}.values`));
      value = valueOfRecord(file.subarray(offset, offset + size), name);
    } catch {
      // The file is gone: the same fault.
    }
    if (value === undefined) faults.push(`item ${name} points to no record of its own`);
  }
  for (const [segment, use] of segments.entries()) {
    const real = recount.get(segment) ?? { liveBytes: 0, liveItems: 0 };
    if (use.liveBytes !== real.liveBytes || use.liveItems !== real.liveItems) {
      faults.push(`segment ${segment} counts ${use.liveItems}/${use.liveBytes}, holds ${real.liveItems}/${real.liveBytes}`);
    }
  }
  for (const segment of recount.keys()) {
    if (segments.use(segment).liveItems === 0) faults.push(`segment ${segment} is not counted`);
  }
  const counters: [string, number, number][] = [
    ['items', state.items, items.size],
    ['bytes', state.bytes, bytes],
    ['indexEntries', state.indexEntries, indexEntries],
  ];
  for (const [name, counted, real] of counters) if (counted !== real) faults.push(`${name} counts ${counted}, is ${real}`);
  if (state.indexFloor > earliest) faults.push(`the index floor ${state.indexFloor} hides a row of ${earliest}`);
  if (state.cas < highestCas) faults.push(`cas ${state.cas} is below that of an item, ${highestCas}`);
  if (state.nextSegment <= highestSegment) faults.push(`segment ${highestSegment} would be given out again`);
  return { items, state, faults };
}
