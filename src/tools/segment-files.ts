import { read } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemCodeOf } from '../errors.ts';
import type { Item, Place } from '../item.ts';
import { SEGMENT_MAGIC, segmentName, segmentNumber } from '../store/value-log.ts';
import { valueOfRecord } from '../store/value-record.ts';

/** Half the price of a file handle's own. */
const readAsync = promisify(read);

/** Segments kept open at once. */
const OPEN_FILES = 128;

/** Why a value could not be read. */
export type ValueFault = 'no_file' | 'too_short' | 'damaged';

/** The value segments of a store, read and never written. */
export class SegmentFiles {
  readonly directory: string;
  /** Bytes by segment number. */
  readonly sizes: ReadonlyMap<number, number>;
  /** Names of files that are no segments. */
  readonly strangers: readonly string[];
  readonly #open = new Map<number, Promise<FileHandle>>();

  private constructor(directory: string, sizes: ReadonlyMap<number, number>, strangers: readonly string[]) {
    this.directory = directory;
    this.sizes = sizes;
    this.strangers = strangers;
  }

  /** Lists the segments under a store's directory; none when there is no such directory. */
  static async open(store: string): Promise<SegmentFiles> {
    const directory = join(store, 'values');
    const sizes = new Map<number, number>();
    const strangers: string[] = [];
    for (const name of await namesIn(directory)) {
      const id = segmentNumber(name);
      if (id === undefined) strangers.push(name);
      else sizes.set(id, (await stat(join(directory, name))).size);
    }
    return new SegmentFiles(directory, sizes, strangers);
  }

  path(id: number): string {
    return join(this.directory, segmentName(id));
  }

  /** An item's value, checked, or what is wrong with it. */
  async value(key: string, item: Item): Promise<Buffer | ValueFault> {
    if (item.place === undefined) return item.value ?? 'damaged';
    const { place } = item;
    const size = this.sizes.get(place.segment);
    if (size === undefined) return 'no_file';
    // Looked at first: a row that lies about its length must not make us ask for so much memory.
    if (place.offset + place.size > size) return 'too_short';
    const record = await this.read(place);
    return valueOfRecord(record, key) ?? 'damaged';
  }

  /** Reads a range of a segment; shorter where the file ends. */
  async read({ segment, offset, size }: Place): Promise<Buffer> {
    const file = await this.#file(segment);
    const bytes = Buffer.allocUnsafeSlow(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await readAsync(file.fd, bytes, at, size - at, offset + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  }

  /** True when a segment begins as it should. */
  async hasMagic(id: number): Promise<boolean> {
    return (await this.read({ segment: id, offset: 0, size: SEGMENT_MAGIC.length })).equals(SEGMENT_MAGIC);
  }

  /** REQUIRES: no read is under way. */
  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const file of files) await (await file).close();
  }

  /** Lets go of files that were used longest ago. REQUIRES: no read is under way. */
  async trim(): Promise<void> {
    for (const [id, file] of this.#open) {
      if (this.#open.size <= OPEN_FILES) return;
      this.#open.delete(id);
      await (await file).close();
    }
  }

  #file(id: number): Promise<FileHandle> {
    const known = this.#open.get(id);
    const file = known ?? open(this.path(id), 'r');
    this.#open.delete(id);
    this.#open.set(id, file);
    return file;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
