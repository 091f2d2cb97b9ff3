import type { Store } from '../../src/store/store.ts';

/** What a store says of itself when a batch is committed, besides its items. */
export interface Moment {
  /** Number of the batch. */
  readonly batch: number;
  /** All of its counters but the cas unique, which jumps at each opening, the place of eviction, and the deletes of prefixes. */
  readonly marks: string;
}

/** The moment that an open store is at. REQUIRES: all is committed that is staged. */
export async function marksOf(store: Store): Promise<Moment> {
  const { cas: _, ...state } = store.state;
  return { batch: state.batch, marks: JSON.stringify({ state, hand: await store.hand(), jobs: [...(await store.jobs())] }) };
}
