import { openMended } from '../../src/store/open-level.ts';
import { decodeJob, JOBS_FROM, JOBS_TO, type JobRow, numberOfJob } from '../../src/store/job-row.ts';
import { HAND_KEY, STATE_KEY } from '../../src/store/keys.ts';
import { decodeState, emptyState, type StoreState } from '../../src/store/state-row.ts';
import type { Store } from '../../src/store/store.ts';

/** What a store says of itself when a batch is committed, besides its items. */
export interface Moment {
  /** Number of the batch. */
  readonly batch: number;
  /** All of its counters but the cas unique, which jumps at each opening, the place of eviction, and the deletes of prefixes. */
  readonly marks: string;
}

/** What a store begins with. */
const FIRST: StoreState = { ...emptyState(), keepsQuotas: 1 };

/** The moment that an open store will be at once LevelDB has all that is committed, if nothing else comes in between. */
export async function nextMarksOf(store: Store): Promise<Moment> {
  const { state, values } = store;
  return momentOf({ ...state, batch: state.batch + 1, nextSegment: values.next }, await store.hand(), await store.jobs());
}

/** The moment that an open store is at. REQUIRES: LevelDB has all that is staged. */
export async function marksOf(store: Store): Promise<Moment> {
  return momentOf(store.state, await store.hand(), await store.jobs());
}

/** The moment that the rows of a store are as of that nobody has open. `onCut` is told when writes behind a hole were set aside. */
export async function marksIn(directory: string, onCut: () => void): Promise<Moment> {
  const db = await openMended(directory, { blockCacheBytes: 2 ** 20, onLogCut: ({ aside }) => (aside === undefined ? undefined : onCut()) });
  try {
    const row = await db.get(STATE_KEY);
    const hand = await db.get(HAND_KEY);
    const jobs = new Map<number, JobRow>();
    for await (const [key, value] of db.iterator({ gte: JOBS_FROM, lt: JOBS_TO })) jobs.set(numberOfJob(key), decodeJob(value)!);
    return momentOf(row === undefined ? undefined : decodeState(row), hand === undefined || hand.length === 0 ? undefined : hand.toString('latin1'), jobs);
  } finally {
    await db.close();
  }
}

function momentOf(state: Readonly<StoreState> | undefined, hand: string | undefined, jobs: ReadonlyMap<number, JobRow>): Moment {
  const { cas: _, ...rest } = state ?? FIRST;
  return { batch: rest.batch, marks: JSON.stringify({ state: rest, hand, jobs: [...jobs] }) };
}
