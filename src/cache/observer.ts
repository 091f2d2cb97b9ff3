/** What a lookup met. */
export type LookupStatus = 'not_found' | 'found' | 'flushed' | 'expired';

/** What became of an offered value. */
export type StoreStatus = 'not_stored' | 'stored' | 'exists' | 'not_found' | 'too_large' | 'no_memory';

/** The kind of a store; `null` where the command does not tell. */
export type StoreWord = 'null' | 'add' | 'set' | 'replace' | 'append' | 'prepend' | 'cas';

/**
 * Told what commands look up and change, while anybody wants to know (`watch` in protocol.txt), in the order that
 * memcached tells it. Keys are ranges of `bytes`, good during the call only.
 */
export interface CacheObserver {
  /** `size` = bytes of the value; 0 unless found. */
  looked(bytes: Buffer, start: number, end: number, status: LookupStatus, size: number): void;
  /**
   * A value was offered, after the lookup that decided about it. As in memcached, incr and decr of a number that is
   * there are not told, and one that they make is an `add`.
   *
   * `ttl` = seconds to live, 0 = for ever, -1 = gone at once; `size` = bytes of the value as stored, or as offered
   * when it was not; both are 0 when it is too large.
   */
  stored(bytes: Buffer, start: number, end: number, status: StoreStatus, cmd: StoreWord, ttl: number, size: number): void;
  /** An item was deleted by command: delete or md. */
  deleted(bytes: Buffer, start: number, end: number, cmd: 'delete' | 'md', size: number): void;
}
