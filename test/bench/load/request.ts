/** A request under way. Reused by its connection once answered. */
export interface Request {
  kind: 'get' | 'set';
  /** Ids of the items, of which the first `count` are meant. */
  readonly ids: Int32Array;
  count: number;
  /** Milliseconds on the clock of `performance.now()`. */
  startedAt: number;
}

/** An empty request with room for `capacity` ids. */
export function createRequest(capacity: number): Request {
  return { kind: 'get', ids: new Int32Array(capacity), count: 0, startedAt: 0 };
}
