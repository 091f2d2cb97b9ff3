import type { Place } from '../item.ts';

/** No two records begin in the same so many bytes: what is smaller lies in LevelDB's rows (INLINE_MAX). */
const GRANULE_BYTES = 256;
/** Segments of which a map is kept: 32 KiB each at the usual size of a segment, so 16 MiB at most, enough for 32 GiB. */
const SEGMENTS_MAX = 512;

/**
 * Where records lie in value segments that were seen to die: one bit for each 256 bytes. Who looks for the live ones in
 * a segment skips these without a lookup of their keys, and most of a segment that is worth rewriting is dead.
 * Of a record without a bit nothing is known: it may have died before the process started.
 */
export class DeadRecords {
  readonly #maps = new Map<number, Uint8Array>();
  readonly #mapBytes: number;

  /** `segmentBytes` = bytes at which a segment is full; a record that begins behind that is not noted. */
  constructor(segmentBytes: number) {
    this.#mapBytes = Math.ceil(segmentBytes / GRANULE_BYTES / 8);
  }

  /** Nothing points to the record at this place any more, and nothing ever will. */
  note({ segment, offset }: Place): void {
    let map = this.#maps.get(segment);
    if (map === undefined) {
      if (this.#maps.size >= SEGMENTS_MAX) return;
      map = new Uint8Array(this.#mapBytes);
      this.#maps.set(segment, map);
    }
    const granule = Math.floor(offset / GRANULE_BYTES);
    const byte = granule >>> 3;
    if (byte < map.length) map[byte]! |= 1 << (granule & 7);
  }

  has(segment: number, offset: number): boolean {
    const map = this.#maps.get(segment);
    if (map === undefined) return false;
    const granule = Math.floor(offset / GRANULE_BYTES);
    return ((map[granule >>> 3] ?? 0) & (1 << (granule & 7))) !== 0;
  }

  /** The segment is gone. */
  forget(segment: number): void {
    this.#maps.delete(segment);
  }

  clear(): void {
    this.#maps.clear();
  }
}
