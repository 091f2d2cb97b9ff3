import { crc32 } from 'node:zlib';
import { messageOf } from '../errors.ts';
import type { Item } from '../item.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { hashKey } from '../ram/hash.ts';
import { CountedPrefixes } from '../store/counted-prefixes.ts';
import { type DueRowKey, readDueRowKey, unpackKeys } from '../store/due-row.ts';
import { itemRowBytes, readItemRow } from '../store/item-row.ts';
import { DUE, ITEM, keyOfItem, META, SEGMENT } from '../store/keys.ts';
import { decodeQuota, prefixOfQuota, QUOTAS_FROM, QUOTAS_TO, type QuotaRow } from '../store/quota-row.ts';
import { knowsRowBytes } from '../store/row-bytes.ts';
import { NEVER_EXPIRES, SegmentTable } from '../store/segment-table.ts';
import { bucketDeadline } from '../store/ttl-bucket.ts';
import { groupsOf } from './dump-items.ts';
import type { Findings } from './findings.ts';
import { HashSet } from './hash-set.ts';
import type { Progress } from './progress.ts';
import type { ValueFault } from './segment-files.ts';
import type { StoreReader } from './store-reader.ts';

/** Rows taken from LevelDB at once. */
const PAGE_ROWS = 256;

/** What was read by a check of a store. */
export interface VerifyReport {
  readonly items: number;
  readonly bytes: number;
  /** Values read from segments. */
  readonly records: number;
  readonly index_rows: number;
  readonly index_entries: number;
  /** Entries of the index that list nothing alive: each is dropped when its bucket is swept. */
  readonly stale_entries: number;
  readonly segments: number;
  /** Segments that no item refers to: they are removed at the next start. */
  readonly unused_segments: number;
  /** Prefixes with quotas that are counted. */
  readonly quotas: number;
}

export interface VerifyOptions {
  readonly findings: Findings;
  readonly progress?: Progress;
  /** Told of every readable item. */
  readonly onItem?: (key: string, item: Item) => void;
}

interface SegmentCount {
  liveBytes: number;
  liveItems: number;
  latestExpiry: number;
}

/**
 * Reads every row and every value of a store and compares all that must agree. Memory is bounded by some 20 bytes for
 * each item that expires: items are remembered as hashes until the index row that lists them comes by.
 */
export function verifyStore(reader: StoreReader, options: VerifyOptions): Promise<VerifyReport> {
  return new Verification(reader, options).run();
}

class Verification {
  readonly #reader: StoreReader;
  readonly #findings: Findings;
  readonly #options: VerifyOptions;
  /** Items that expire and were in no index row so far. */
  readonly #unlisted = new HashSet();
  readonly #counts = new Map<number, SegmentCount>();
  /** What quota rows say, and what is found. */
  readonly #quotas = new Map<string, QuotaRow>();
  #found = new CountedPrefixes([]);
  #items = 0;
  #bytes = 0;
  #rowBytes = 0;
  #records = 0;
  #rows = 0;
  #entries = 0;
  #stale = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #highestCas = 0;
  #isWhole = true;

  constructor(reader: StoreReader, options: VerifyOptions) {
    this.#reader = reader;
    this.#findings = options.findings;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    await this.#checkFiles();
    await this.#readQuotas();
    await this.#checkRows();
    if (this.#unlisted.size > 0) await this.#nameUnlisted();
    this.#checkSegments();
    this.#checkState();
    if (this.#isWhole) this.#checkQuotas();
    this.#options.progress?.end();
    const { sizes } = this.#reader.files;
    return {
      items: this.#items,
      bytes: this.#bytes,
      records: this.#records,
      index_rows: this.#rows,
      index_entries: this.#entries,
      stale_entries: this.#stale,
      segments: sizes.size,
      unused_segments: [...sizes.keys()].filter((id) => !this.#counts.has(id)).length,
      quotas: this.#quotas.size,
    };
  }

  async #readQuotas(): Promise<void> {
    const { db, state } = this.#reader;
    // What a version left behind that does not keep them is deleted at the next start.
    if (state.keepsQuotas !== 1) return;
    try {
      for await (const [key, value] of db.iterator({ gte: QUOTAS_FROM, lt: QUOTAS_TO, fillCache: false })) {
        const quota = decodeQuota(value);
        if (quota === undefined) this.#findings.add(`quota row of ${encodeUriText(prefixOfQuota(key))}: fails its checksum`);
        else this.#quotas.set(prefixOfQuota(key), quota);
      }
    } catch {
      // The pass over all rows comes upon it too, and tells.
    }
    this.#found = new CountedPrefixes(this.#quotas.keys());
  }

  async #checkFiles(): Promise<void> {
    const { files } = this.#reader;
    for (const name of files.strangers) this.#findings.add(`file values/${name} is no segment`);
    for (const id of files.sizes.keys()) {
      // One that was never referred to may have been cut off by a crash.
      if (id < this.#reader.state.nextSegment && this.#reader.segments.use(id).liveItems > 0 && !(await files.hasMagic(id))) {
        this.#findings.add(`segment ${files.path(id)} does not begin as a segment does`);
      }
      await files.trim();
    }
  }

  /** Items come before the index in LevelDB, so one pass is enough. */
  async #checkRows(): Promise<void> {
    const iterator = this.#reader.db.iterator({ fillCache: false });
    try {
      for (let rows = await iterator.nextv(PAGE_ROWS); rows.length > 0; rows = await iterator.nextv(PAGE_ROWS)) {
        const items: { key: string; item: Item }[] = [];
        for (const [key, value] of rows) this.#checkRow(key, value, items);
        await this.#checkValues(items);
        this.#options.progress?.show(this.#items, this.#bytes);
      }
    } catch (error) {
      this.#isWhole = false;
      this.#findings.add(`LevelDB cannot be read to its end: ${messageOf(error)}`);
    } finally {
      await iterator.close();
    }
  }

  #checkRow(key: Buffer, value: Buffer, items: { key: string; item: Item }[]): void {
    switch (key[0]) {
      case ITEM: {
        const name = keyOfItem(key);
        const item = readItemRow(value, name.length);
        if (item === undefined) this.#findings.add(`item ${encodeUriText(name)}: its row of ${value.length} bytes fails its checksum`);
        else {
          this.#countItem(name, item);
          items.push({ key: name, item });
        }
        return;
      }
      case DUE: {
        const row = readDueRowKey(key);
        if (row === undefined) this.#findings.add(`index row ${key.toString('hex')} has no readable key`);
        else this.#checkIndexRow(key, row, value);
        return;
      }
      case META:
        return;
      case SEGMENT:
        if (!new SegmentTable().load(key, value)) this.#findings.add(`segment page ${key.toString('hex')} is damaged`);
        return;
      default:
        this.#findings.add(`row ${key.toString('hex')} is of no known kind`);
    }
  }

  #countItem(key: string, item: Item): void {
    this.#options.onItem?.(key, item);
    this.#items++;
    this.#bytes += key.length + item.length;
    this.#rowBytes += itemRowBytes(key, item);
    this.#found.add(key, key.length + item.length);
    this.#highestCas = Math.max(this.#highestCas, item.cas);
    if (item.expiresAt !== 0) this.#unlisted.add(...hashesOf(bucketDeadline(item.expiresAt, item.ttlShift), item.ttlShift, key));
    if (item.place === undefined) return;
    const { segment, size } = item.place;
    const count = this.#counts.get(segment) ?? { liveBytes: 0, liveItems: 0, latestExpiry: 0 };
    count.liveBytes += size;
    count.liveItems++;
    count.latestExpiry = Math.max(count.latestExpiry, item.expiresAt === 0 ? NEVER_EXPIRES : item.expiresAt);
    this.#counts.set(segment, count);
  }

  async #checkValues(items: readonly { key: string; item: Item }[]): Promise<void> {
    const { files } = this.#reader;
    for (const group of groupsOf(items.filter(({ item }) => item.place !== undefined))) {
      await Promise.all(
        group.map(async ({ key, item }) => {
          this.#records++;
          const value = await files.value(key, item!);
          if (typeof value === 'string') this.#findings.add(`item ${encodeUriText(key)}: ${faultOf(value, files.path(item!.place!.segment), item!.place!.offset)}`);
        }),
      );
      await files.trim();
    }
  }

  #checkIndexRow(key: Buffer, row: DueRowKey, value: Buffer): void {
    const keys = unpackKeys(value);
    const packed = keys.reduce((sum, name) => sum + 1 + name.length, 0);
    if (packed !== value.length) this.#findings.add(`index row ${key.toString('hex', 1)} ends in the middle of a key`);
    this.#rows++;
    this.#entries += keys.length;
    this.#earliest = Math.min(this.#earliest, row.deadline);
    for (const name of keys) if (!this.#unlisted.delete(...hashesOf(row.deadline, row.shift, name))) this.#stale++;
  }

  /** Reads the items once more, to say which of them no index row lists. */
  async #nameUnlisted(): Promise<void> {
    if (!this.#isWhole) return;
    for await (const page of this.#reader.pages('')) {
      for (const { key, item } of page) {
        if (item === undefined || item.expiresAt === 0) continue;
        const deadline = bucketDeadline(item.expiresAt, item.ttlShift);
        if (this.#unlisted.has(...hashesOf(deadline, item.ttlShift, key))) {
          this.#findings.add(`item ${encodeUriText(key)}: it expires at ${item.expiresAt}, but no index row of ${deadline} lists it`);
        }
      }
    }
  }

  #checkSegments(): void {
    const { segments, state, files } = this.#reader;
    for (const [id, count] of this.#counts) {
      const use = segments.use(id);
      if (use.liveItems === 0) this.#findings.add(`segment ${files.path(id)} is not counted`);
      else if (use.latestExpiry < count.latestExpiry) {
        this.#findings.add(`segment ${files.path(id)}: its latest expiry is counted as ${use.latestExpiry}, an item has ${count.latestExpiry}`);
      }
      if (id >= state.nextSegment) this.#findings.add(`segment ${files.path(id)} would be given out again: the next is ${state.nextSegment}`);
    }
    for (const [id, use] of segments.entries()) {
      const found = this.#counts.get(id) ?? { liveBytes: 0, liveItems: 0 };
      if (use.liveBytes === found.liveBytes && use.liveItems === found.liveItems) continue;
      this.#findings.add(
        `segment ${files.path(id)}: ${use.liveItems} items of ${use.liveBytes} bytes are counted, ${found.liveItems} of ${found.liveBytes} refer to it`,
      );
    }
  }

  #checkState(): void {
    const { state, hasState } = this.#reader;
    if (!hasState && this.#items > 0) this.#findings.add('the state row is missing or damaged');
    const counters = [
      ['items', state.items, this.#items],
      ['bytes', state.bytes, this.#bytes],
      // What is not known cannot be wrong.
      ['rowBytes', state.rowBytes, knowsRowBytes(state) ? this.#rowBytes : 0],
      ['indexEntries', state.indexEntries, this.#entries],
    ] as const;
    for (const [name, counted, found] of counters) {
      if (counted !== found) this.#findings.add(`state row: ${name} says ${counted}, found are ${found}`);
    }
    if (state.indexFloor > this.#earliest) this.#findings.add(`state row: indexFloor ${state.indexFloor} hides an index row of ${this.#earliest}`);
    if (state.cas < this.#highestCas) this.#findings.add(`state row: cas ${state.cas} is below that of an item, ${this.#highestCas}`);
  }

  #checkQuotas(): void {
    for (const { prefix, items, bytes } of this.#found.all) {
      const row = this.#quotas.get(prefix);
      if (row === undefined || (row.items === items && row.bytes === bytes)) continue;
      this.#findings.add(`quota row of ${encodeUriText(prefix)}: ${row.items} items of ${row.bytes} bytes are counted, found are ${items} of ${bytes}`);
    }
  }
}

function faultOf(fault: ValueFault, path: string, offset: number): string {
  switch (fault) {
    case 'no_file':
      return `its value should be in ${path} at offset ${offset}, but there is no such file`;
    case 'too_short':
      return `its value should be in ${path} at offset ${offset}, but the file ends before it does`;
    case 'damaged':
      return `its value in ${path} at offset ${offset} fails its checksum`;
  }
}

/** Two hashes of an index entry, of different kinds. */
function hashesOf(deadline: number, shift: number, key: string): [number, number] {
  const bytes = Buffer.allocUnsafe(5 + key.length);
  bytes.writeUInt32LE(deadline, 0);
  bytes[4] = shift;
  bytes.write(key, 5, 'latin1');
  return [hashKey(bytes, 0, bytes.length, 0), crc32(bytes)];
}
