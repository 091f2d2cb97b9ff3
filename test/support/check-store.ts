import { expect } from 'vitest';
import type { Item } from '../../src/item.ts';
import type { StoreState } from '../../src/store/state-row.ts';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { verifyStore } from '../../src/tools/verify-store.ts';

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
  const reader = await StoreReader.open(directory);
  try {
    const items = new Map<string, Item>();
    const findings = new Findings(1000);
    await verifyStore(reader, { findings, onItem: (key, item) => items.set(key, item) });
    return { items, state: reader.state, faults: findings.shown };
  } finally {
    await reader.close();
  }
}
