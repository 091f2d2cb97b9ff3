import type { Item } from '../item.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Contents } from './contents.ts';
import type { EphemeralItems } from './ephemeral-items.ts';
import type { ItemStaging } from './item-staging.ts';

/**
 * How far the cas unique may run ahead of the one on disk before a batch is written for its sake: items in memory alone
 * bring about none. Far below CAS_JUMP (contents.ts), so that no start gives out a unique again.
 */
const CAS_AHEAD = 2 ** 24;

/** Bytes of a batch when ephemeral items are written out. */
const WRITE_OUT_BYTES = 2 ** 20;

/** Decides what of each write goes to the disk, and what stays in memory alone. `old` is what the key has now, wherever. */
export class ItemWrites {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  readonly #staging: ItemStaging;
  readonly #ephemeral: EphemeralItems | undefined;

  /** `ephemeral`: undefined = everything goes to the disk. */
  constructor(contents: Contents, pipeline: CommitPipeline, staging: ItemStaging, ephemeral: EphemeralItems | undefined) {
    this.#contents = contents;
    this.#pipeline = pipeline;
    this.#staging = staging;
    this.#ephemeral = ephemeral;
  }

  /** As `Store.put`. */
  put(key: string, old: Item | undefined, item: Item): Item {
    this.#contents.state.totalItems++;
    if (this.#ephemeral === undefined) return this.#staging.put(key, old, item);
    const isOnDisk = old !== undefined && this.#ephemeral.get(key) === undefined;
    // What goes on under the time of expiry that it has on disk stays there: incr, append.
    if (this.#ephemeral.isShort(item.expiresAt, item.storedAt) && !(isOnDisk && old.expiresAt === item.expiresAt)) {
      const kept = this.#ephemeral.put(key, item);
      if (kept !== undefined) {
        // A crash must not bring back what was there before.
        if (isOnDisk) this.#staging.remove(key, old);
        if (this.#contents.state.cas - this.#contents.casOnDisk > CAS_AHEAD) this.#pipeline.stateChanged();
        return kept;
      }
    }
    this.#ephemeral.delete(key);
    return this.#staging.put(key, isOnDisk ? old : undefined, item);
  }

  /** As `Store.putJoined`. */
  putJoined(key: string, old: Item | undefined, item: Item, pieces: readonly [Buffer, Buffer]): Item {
    this.#contents.state.totalItems++;
    const wasInMemory = this.#ephemeral?.delete(key) === true;
    return this.#staging.put(key, wasInMemory ? undefined : old, item, pieces);
  }

  /** As `Store.restate`. */
  restate(key: string, old: Item, item: Item): Item {
    if (this.#ephemeral?.get(key) !== undefined) {
      if (this.#ephemeral.isShort(item.expiresAt)) return this.#ephemeral.restate(key, item);
      return this.#staging.put(key, undefined, { ...item, value: this.#ephemeral.release(key)!.value });
    }
    this.#staging.restate(key, old, item);
    return item;
  }

  /** As `Store.remove`. */
  remove(key: string, old: Item): void {
    if (this.#ephemeral?.delete(key) !== true) this.#staging.remove(key, old);
  }

  /** As `Store.takeDeadEphemeral`. */
  takeDead(limit: number): string[] {
    const ephemeral = this.#ephemeral;
    if (ephemeral === undefined) return [];
    return ephemeral.takeDead(this.#contents.state.flushCas, limit).map(({ key, item }) => {
      // Written with the next batch: these counters alone are not worth one.
      this.#contents.state.reclaimedBytes += key.length + item.length;
      if (ephemeral.isExpired(item)) this.#contents.state.expired++;
      return key;
    });
  }

  /** Makes ordinary items of those in memory alone that are alive, a batch at a time. */
  async writeOut(): Promise<void> {
    const ephemeral = this.#ephemeral;
    if (ephemeral === undefined) return;
    const walk = ephemeral.walk(this.#contents.state.cas);
    for (let [next] = walk.next(1); next !== undefined; [next] = walk.next(1)) {
      const { key, item } = next;
      ephemeral.delete(key);
      if (item.cas <= this.#contents.state.flushCas || ephemeral.isExpired(item)) continue;
      this.#staging.put(key, undefined, item);
      if (this.#pipeline.staged.bytes >= WRITE_OUT_BYTES) await this.#pipeline.inLevel();
    }
    walk.end();
  }

  /** A group with these keys is lost. What is on disk of them counts: what is in memory alone came after a delete that is lost. */
  lose(keys: Iterable<string>): void {
    if (this.#ephemeral !== undefined) for (const key of keys) this.#ephemeral.delete(key);
  }
}
