import { ClassicLevel } from 'classic-level';
import * as fc from 'fast-check';
import { DumpEncoder } from '../../src/tools/dump-format.ts';
import { dumpItems } from '../../src/tools/dump-items.ts';
import { DumpReader } from '../../src/tools/dump-reader.ts';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { type NewItem, StoreWriter } from '../../src/tools/store-writer.ts';
import { verifyStore, type VerifyReport } from '../../src/tools/verify-store.ts';
import { buildItem } from '../support/build-item.ts';

/** The time in these tests. */
export const NOW = 1_800_000_000;

/** Any item that is alive at NOW. */
export const anyItem: fc.Arbitrary<NewItem> = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  flags: fc.nat(0xffff_ffff),
  expiresAt: fc.oneof(fc.constant(0), fc.integer({ min: NOW + 1, max: 0xffff_ffff })),
  storedAt: fc.nat(0xffff_ffff),
  cas: fc.nat(2 ** 40),
  chosenCas: fc.option(fc.oneof(fc.nat(), fc.constant(2n ** 64n - 1n)), { nil: undefined }),
  bits: fc.nat(7),
  value: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 257, maxLength: 600 })).map((bytes) => Buffer.from(bytes)),
});

/** Items with different keys and cas uniques. */
export const anyItems: fc.Arbitrary<NewItem[]> = fc
  .uniqueArray(anyItem, { selector: ({ key }) => key, maxLength: 30 })
  .map((items) => items.map((item, i) => ({ ...item, cas: item.cas * 64 + i + 1 })));

/** An item that never expires, with what the test cares about in place. */
export function newItem(key: string, value: string | Buffer, change: Partial<NewItem> = {}): NewItem {
  return { key, flags: 0, expiresAt: 0, storedAt: NOW - 100, cas: 1, chosenCas: undefined, bits: 0, value: Buffer.from(value), ...change };
}

/** Makes a store that holds some items, and closes it. */
export async function makeStore(directory: string, items: readonly NewItem[]): Promise<void> {
  const writer = await StoreWriter.open(directory, NOW, false);
  for (const item of items) await writer.put(item);
  await writer.finish();
}

/** A dump of items, without a store. */
export function dumpOf(items: readonly NewItem[]): Buffer {
  const encoder = new DumpEncoder();
  encoder.head();
  for (const item of items) encoder.item(item.key, buildItem({ ...item, length: item.value.length }), item.value);
  encoder.end();
  return Buffer.concat(encoder.take());
}

/** The dump of a closed store. */
export async function dumpStore(directory: string, prefix = '', now: number = NOW): Promise<Buffer> {
  const reader = await StoreReader.open(directory);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of dumpItems(reader, { prefix, now, flushCas: reader.flushedUpTo(now) })) chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    await reader.close();
  }
}

/** The items in a dump, which must be whole. */
export function itemsIn(dump: Buffer): NewItem[] {
  const reader = new DumpReader();
  const items = reader.push(dump).map(({ line: _line, ...item }) => item);
  reader.finish();
  return items;
}

/** What a check says of a closed store. */
export async function verify(directory: string): Promise<VerifyReport & { findings: readonly string[] }> {
  const findings = new Findings(100);
  const reader = await StoreReader.open(directory);
  try {
    return { ...(await verifyStore(reader, { findings })), findings: findings.shown };
  } finally {
    await reader.close();
  }
}

/** Changes rows of a closed store behind its back. */
export async function tamper(directory: string, change: (db: ClassicLevel<Buffer, Buffer>) => Promise<void>): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  await db.open();
  try {
    await change(db);
  } finally {
    await db.close();
  }
}

export function byKey(items: readonly NewItem[]): NewItem[] {
  return items.toSorted((a, b) => Buffer.compare(Buffer.from(a.key, 'latin1'), Buffer.from(b.key, 'latin1')));
}

/** One page, as a dump that was read. */
export async function* pagesOf(dump: Buffer): AsyncGenerator<ReturnType<DumpReader['push']>, void, undefined> {
  const reader = new DumpReader();
  yield reader.push(dump);
  reader.finish();
}

/** All that comes, as one. */
export async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
