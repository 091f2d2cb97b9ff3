import type { Item } from '../../src/item.ts';
import { Store } from '../../src/store/store.ts';
import { buildItem } from '../support/build-item.ts';
import { type DiskImage, readImage } from './disk-image.ts';
import type { Random } from './random.ts';

const KEYS = 12;
const INLINE_MOST = 256;
const OUT_OF_LINE_MOST = 3000;
const FAR = 4_000_000_000;

/** What a key held after some write; undefined = nothing. */
export interface KeyState {
  readonly write: number;
  readonly value: string | undefined;
}

export interface WriteSpec {
  /** Every write is forced to disk before it counts. */
  readonly syncsEach: boolean;
  /** Writes before all is forced to disk, and after it. With `syncsEach` the last of these is the one not acknowledged yet. */
  readonly before: number;
  readonly after: number;
  /** LevelDB's write buffer; small ones make it change logs. */
  readonly writeBufferBytes: number | undefined;
}

/** A store as it is written when power is lost, and all that is known of it. */
export interface WrittenStore {
  /** All that was given to the operating system. */
  readonly written: DiskImage;
  /** What of it was forced to disk: the beginning of each file. */
  readonly synced: DiskImage;
  /** For each key all it ever held, in order. */
  readonly history: ReadonlyMap<string, readonly KeyState[]>;
  /** Number of the last write that must not be lost, and of the last one. */
  readonly safe: number;
  readonly last: number;
}

/** Writes a store of its own in a directory, one write a batch: values in rows and in segments, deletes, touches. */
export async function writeStore(directory: string, spec: WriteSpec, random: Random): Promise<WrittenStore> {
  const store = await Store.open(directory, {
    blockCacheBytes: 2 ** 20,
    syncEveryBatch: spec.syncsEach,
    onFailed: () => undefined,
    writeBufferBytes: spec.writeBufferBytes,
  });
  const writer = new Writer(store, random);
  for (let i = 0; i < spec.before; i++) await writer.write();
  if (!spec.syncsEach) await store.sync();
  const synced = await readImage(directory);
  const safe = writer.writes;
  for (let i = 0; i < spec.after; i++) await writer.write();
  const written = await readImage(directory);
  await store.close();
  return { written, synced, history: writer.history, safe, last: writer.writes };
}

class Writer {
  readonly history = new Map<string, KeyState[]>();
  readonly #store: Store;
  readonly #random: Random;
  readonly #items = new Map<string, Item>();
  writes = 0;

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  async write(): Promise<void> {
    const random = this.#random;
    const key = `key ${random.between(0, KEYS - 1)}`;
    const old = this.#items.get(key);
    const states = this.history.get(key) ?? [{ write: 0, value: undefined }];
    this.history.set(key, states);
    this.writes++;
    const choice = old === undefined ? 1 : random.next();
    if (old !== undefined && choice < 0.15) {
      this.#store.remove(key, old);
      this.#items.delete(key);
      states.push({ write: this.writes, value: undefined });
    } else if (old !== undefined && choice < 0.3) {
      const touched = { ...old, expiresAt: FAR + this.writes, cas: this.#store.nextCas() };
      this.#store.restate(key, old, touched);
      this.#items.set(key, touched);
      states.push({ write: this.writes, value: states.at(-1)?.value });
    } else {
      const value = this.#value(key);
      const item = buildItem({ value: Buffer.from(value), cas: this.#store.nextCas(), expiresAt: random.chance(0.3) ? FAR : 0 });
      this.#items.set(key, this.#store.put(key, old, item));
      states.push({ write: this.writes, value });
    }
    await this.#store.committed();
  }

  /** A value that names its key and write to its end. */
  #value(key: string): string {
    const length = this.#random.between(0, this.#random.chance(0.4) ? OUT_OF_LINE_MOST : INLINE_MOST);
    const mark = `<${key} ${this.writes}>`;
    return mark.padEnd(Math.max(mark.length, length), mark);
  }
}
