import type { ServeConfig } from '../config.ts';
import { BLOCK_CACHE_SHARE, writeBufferFor } from '../store/tuning.ts';

/** Share of `--memory` that remembers when keys were asked for. */
const ACCESS_SHARE = 1 / 64;
/** Share of `--memory` for items that are in memory alone, and the most of it: lists go through all of them. */
const EPHEMERAL_SHARE = 1 / 16;
const EPHEMERAL_BYTES_MAX = 64 * 2 ** 20;

/**
 * `--memory`, and what each part gets of it. A new limit changes the RAM tier alone: LevelDB's block cache, the table of
 * accesses, and what is in memory alone keep what they were given at the start.
 */
export class MemoryLimit {
  /** All together, as it is now. */
  megabytes: number;
  readonly blockCacheBytes: number;
  /** Of one of LevelDB's write buffers, which are not among what it is shared out to. */
  readonly writeBufferBytes: number;
  readonly accessBytes: number;
  /** 0 = all items go to disk. */
  readonly ephemeralBytes: number;
  readonly #hasRamTier: boolean;

  constructor({ memory, ramTier, ephemeralTtl }: ServeConfig) {
    const bytes = memory * 2 ** 20;
    this.megabytes = memory;
    this.blockCacheBytes = Math.floor(bytes * BLOCK_CACHE_SHARE);
    this.writeBufferBytes = writeBufferFor(bytes);
    this.accessBytes = Math.floor(bytes * ACCESS_SHARE);
    this.ephemeralBytes = ephemeralTtl === 0 ? 0 : Math.min(EPHEMERAL_BYTES_MAX, bytes * EPHEMERAL_SHARE);
    this.#hasRamTier = ramTier;
  }

  /** What is left for the RAM tier of so many MB. */
  ramTierBytes(megabytes: number): number {
    const others = this.blockCacheBytes + this.accessBytes + this.ephemeralBytes;
    return this.#hasRamTier ? Math.max(0, megabytes * 2 ** 20 - others) : 0;
  }
}
