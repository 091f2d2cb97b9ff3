import { messageOf, TugelaError } from '../errors.ts';
import type { Item } from '../item.ts';
import { Store } from '../store/store.ts';
import { ttlShift } from '../store/ttl-bucket.ts';
import type { DumpItem } from './dump-format.ts';

const BLOCK_CACHE_BYTES = 16 * 2 ** 20;
/** What is staged before it is waited for. */
const GROUP_ITEMS = 2000;
const GROUP_BYTES = 4 * 2 ** 20;

/** An item to put into a store. */
export type NewItem = Omit<DumpItem, 'line'>;

/**
 * Puts items into the store of a stopped server with all that is known of them. The store keeps its index and
 * counters itself, as in a server.
 */
export class StoreWriter {
  readonly store: Store;
  readonly #now: number;
  /** Added to each cas unique: what was there before stays older than what is put. */
  readonly #base: number;
  #cas = 0;
  #group: NewItem[] = [];
  #groupBytes = 0;
  written = 0;
  bytes = 0;
  /** Of those written: their key was there before. */
  replaced = 0;

  private constructor(store: Store, now: number, base: number) {
    this.store = store;
    this.#now = now;
    this.#base = base;
  }

  /** Opens a store, made if it is not there. `onTop` = what is there is kept, and is older. */
  static async open(directory: string, now: number, onTop: boolean): Promise<StoreWriter> {
    const store = await Store.open(directory, { blockCacheBytes: BLOCK_CACHE_BYTES, syncEveryBatch: false, onFailed: () => undefined });
    return new StoreWriter(store, now, onTop ? store.state.cas : 0);
  }

  async put(item: NewItem): Promise<void> {
    this.#group.push(item);
    this.#groupBytes += item.key.length + item.value.length;
    if (this.#group.length >= GROUP_ITEMS || this.#groupBytes >= GROUP_BYTES) await this.#flush();
  }

  /** Writes what was put, forces it to disk and closes. */
  async finish(): Promise<void> {
    try {
      await this.#flush();
      this.store.changeState({ cas: Math.max(this.store.state.cas, this.#cas) });
    } finally {
      await this.store.close();
    }
  }

  /** The cas uniques that keys have now. */
  async casUniquesOf(keys: readonly string[]): Promise<(number | undefined)[]> {
    await this.#flush();
    return (await this.store.fetch(keys)).map((item) => item?.cas);
  }

  async #flush(): Promise<void> {
    const group = this.#group;
    if (group.length === 0) return;
    this.#group = [];
    this.#groupBytes = 0;
    const before = await this.store.fetch(group.map(({ key }) => key));
    const known = new Map<string, Item>();
    group.forEach((each, i) => {
      const old = known.get(each.key) ?? before[i];
      const cas = this.#base + each.cas;
      if (!Number.isSafeInteger(cas)) throw new TugelaError('TUGELA_STORE_FAILED', `Cannot put item: there is no cas unique above ${each.cas}`);
      this.#cas = Math.max(this.#cas, cas);
      const { key, flags, expiresAt, storedAt, bits, chosenCas, value } = each;
      const shift = expiresAt === 0 ? 0 : ttlShift(Math.max(0, expiresAt - this.#now));
      const item = { flags, expiresAt, storedAt, cas, ttlShift: shift, bits, chosenCas, length: value.length, value, place: undefined };
      known.set(key, this.store.put(key, old, item));
      if (old !== undefined) this.replaced++;
      this.written++;
      this.bytes += key.length + value.length;
    });
    try {
      await this.store.inLevel();
    } catch (error) {
      throw new TugelaError('TUGELA_STORE_FAILED', messageOf(error), { cause: error });
    }
  }
}
