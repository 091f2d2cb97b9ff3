import { crc32 } from 'node:zlib';
import { SEGMENT } from './keys.ts';

/*
 * How much of each segment of the value log is alive. Kept in rows of 16 segments, written with every
 * batch that changes them, so that it always agrees with the items:
 *
 *     key   := "s" page(u32 BE)               page = segment / 16
 *     value := { liveBytes(u32) liveItems(u32) latestExpiry(u32) check(u32) }*16, little endian
 *
 * latestExpiry is the latest expiresAt among the values ever written to the segment, 0xffffffff for never. The first check is
 * the CRC-32 of the key and of the value with all checks 0; it is 0 where an older version wrote it. The others are 0.
 * Do not change: this is on disk.
 */
const PAGE_SEGMENTS = 16;
const ENTRY_BYTES = 16;
const CHECK_AT = 12;
const PAGE_KEY_BYTES = 5;
export const NEVER_EXPIRES = 0xffffffff;

export interface SegmentUse {
  liveBytes: number;
  liveItems: number;
  /** Unix seconds, NEVER_EXPIRES for never. */
  latestExpiry: number;
}

interface CountedUse extends SegmentUse {
  /** Its page is to be written. */
  isDirty: boolean;
}

/** Counts live values per segment. */
export class SegmentTable {
  readonly #uses = new Map<number, CountedUse>();
  /** The segment that was added to last, as a rule the one that is added to next. */
  #addedTo = -1;
  #addedUse: CountedUse | undefined;
  readonly #dirtyPages = new Set<number>();
  #diedBytes = 0;
  #liveBytes = 0;

  /** Every segment that was ever counted and not forgotten. */
  entries(): IterableIterator<[number, SegmentUse]> {
    return this.#uses.entries();
  }

  use(segment: number): Readonly<SegmentUse> {
    return this.#uses.get(segment) ?? { liveBytes: 0, liveItems: 0, latestExpiry: 0 };
  }

  /** Bytes of values in use in all segments, with their heads. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes of values that were replaced, deleted or moved since the process started. */
  get diedBytes(): number {
    return this.#diedBytes;
  }

  /** A value of so many bytes was put into a segment. */
  add(segment: number, bytes: number, expiresAt: number): void {
    const use = this.#useToAddTo(segment);
    use.liveBytes += bytes;
    this.#liveBytes += bytes;
    use.liveItems++;
    use.latestExpiry = Math.max(use.latestExpiry, expiresAt === 0 ? NEVER_EXPIRES : expiresAt);
    this.#soil(segment, use);
  }

  /** A value is no longer used. Returns true when it was the segment's last. */
  drop(segment: number, bytes: number): boolean {
    const use = this.#uses.get(segment);
    if (use === undefined) return false;
    this.#diedBytes += bytes;
    this.#liveBytes -= bytes;
    use.liveBytes -= bytes;
    use.liveItems--;
    this.#soil(segment, use);
    return use.liveItems === 0;
  }

  /** The segment is gone. */
  forget(segment: number): void {
    const use = this.#uses.get(segment);
    if (use === undefined) return;
    this.#uses.delete(segment);
    this.#addedUse = undefined;
    this.#liveBytes -= use.liveBytes;
    this.#dirtyPages.add(Math.floor(segment / PAGE_SEGMENTS));
  }

  /** Takes the rows to write: those of pages changed since the last call; an empty value = delete the row. */
  takeDirtyRows(): { key: Buffer; value: Buffer | undefined }[] {
    const rows: { key: Buffer; value: Buffer | undefined }[] = [];
    for (const page of this.#dirtyPages) {
      const value = Buffer.alloc(PAGE_SEGMENTS * ENTRY_BYTES);
      let used = false;
      for (let i = 0; i < PAGE_SEGMENTS; i++) {
        const use = this.#uses.get(page * PAGE_SEGMENTS + i);
        if (use === undefined) continue;
        used = true;
        use.isDirty = false;
        value.writeUInt32LE(use.liveBytes, i * ENTRY_BYTES);
        value.writeUInt32LE(use.liveItems, i * ENTRY_BYTES + 4);
        value.writeUInt32LE(use.latestExpiry, i * ENTRY_BYTES + 8);
      }
      const key = segmentPageKey(page);
      value.writeUInt32LE(crc32(value, crc32(key)), CHECK_AT);
      rows.push({ key, value: used ? value : undefined });
    }
    this.#dirtyPages.clear();
    return rows;
  }

  /** Reads a row as it was written. False when it is damaged. */
  load(key: Buffer, value: Buffer): boolean {
    if (key.length !== PAGE_KEY_BYTES || value.length !== PAGE_SEGMENTS * ENTRY_BYTES) return false;
    const check = value.readUInt32LE(CHECK_AT);
    const checked = Buffer.from(value);
    checked.writeUInt32LE(0, CHECK_AT);
    if (check !== 0 && check !== crc32(checked, crc32(key))) return false;
    const page = key.readUInt32BE(1);
    for (let i = 0; i < PAGE_SEGMENTS; i++) {
      const use = {
        liveBytes: value.readUInt32LE(i * ENTRY_BYTES),
        liveItems: value.readUInt32LE(i * ENTRY_BYTES + 4),
        latestExpiry: value.readUInt32LE(i * ENTRY_BYTES + 8),
        isDirty: false,
      };
      if (use.latestExpiry === 0) continue;
      this.#uses.set(page * PAGE_SEGMENTS + i, use);
      this.#liveBytes += use.liveBytes;
    }
    return true;
  }

  #useToAddTo(segment: number): CountedUse {
    if (segment === this.#addedTo && this.#addedUse !== undefined) return this.#addedUse;
    let use = this.#uses.get(segment);
    if (use === undefined) {
      use = { liveBytes: 0, liveItems: 0, latestExpiry: 0, isDirty: false };
      this.#uses.set(segment, use);
    }
    this.#addedTo = segment;
    this.#addedUse = use;
    return use;
  }

  #soil(segment: number, use: CountedUse): void {
    if (use.isDirty) return;
    use.isDirty = true;
    this.#dirtyPages.add(Math.floor(segment / PAGE_SEGMENTS));
  }
}

function segmentPageKey(page: number): Buffer {
  const key = Buffer.allocUnsafe(PAGE_KEY_BYTES);
  key[0] = SEGMENT;
  key.writeUInt32BE(page, 1);
  return key;
}
