import type { Item } from '../item.ts';
import { STEP_BYTES } from '../steps.ts';
import type { RowItem } from '../store/item-pages.ts';
import { DumpEncoder } from './dump-format.ts';

/** Values read at once at most. */
const READ_ITEMS = 64;
/** Bytes of values read at once, if it is more than one: bounds memory. */
const READ_BYTES = 2 ** 20;

/** Where a dump takes items from: a stopped store, or a snapshot of one that is in use. */
export interface DumpSource {
  pages(prefix: string): AsyncIterable<readonly RowItem[]>;
  /** Undefined when the value is damaged. */
  readValue(key: string, item: Item): Promise<Buffer | undefined>;
  /** Called while no value is being read. */
  afterReads?(): Promise<void>;
}

/** What goes into a dump. */
export interface DumpChoice {
  /** Keys that begin so (latin1). */
  readonly prefix: string;
  /** Items that expire up to this Unix time are left out. */
  readonly now: number;
  /** Items with a cas unique up to this were flushed, and are left out. */
  readonly flushCas: number;
}

/** The bytes of a dump. The encoder counts what is in it. Memory is bounded, but for single values. */
export async function* dumpItems(source: DumpSource, { prefix, now, flushCas }: DumpChoice, encoder: DumpEncoder = new DumpEncoder()): AsyncGenerator<Buffer, void, undefined> {
  encoder.head();
  for await (const page of source.pages(prefix)) {
    for (const group of groupsOf(page.filter(({ item }) => item === undefined || isLive(item, now, flushCas)))) {
      const values = await Promise.all(group.map(async ({ key, item }) => (item === undefined ? undefined : source.readValue(key, item))));
      for (const [i, { key, item }] of group.entries()) {
        const value = values[i];
        if (item === undefined || value === undefined) encoder.lose(key);
        else if (value.length > STEP_BYTES) await encoder.largeItem(key, item, value);
        else encoder.item(key, item, value);
      }
      yield* encoder.take();
      await source.afterReads?.();
    }
  }
  encoder.end();
  yield* encoder.take();
}

/** True for an item that a client would still be given. */
export function isLive(item: Item, now: number, flushCas: number): boolean {
  return item.cas > flushCas && (item.expiresAt === 0 || item.expiresAt > now);
}

/** Splits a page into what may be read at once. */
export function* groupsOf(page: readonly RowItem[]): Generator<readonly RowItem[], void, undefined> {
  let group: RowItem[] = [];
  let bytes = 0;
  for (const row of page) {
    const length = row.item?.length ?? 0;
    if (group.length === READ_ITEMS || (group.length > 0 && bytes + length > READ_BYTES)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(row);
    bytes += length;
  }
  if (group.length > 0) yield group;
}
