import { describe, expect, it } from 'vitest';
import { Unsynced } from '../../src/store/unsynced.ts';

/** Syncs that end when they are told to. */
function heldSyncs(): { readonly begun: (() => void)[]; readonly failures: ((error: Error) => void)[]; readonly sync: () => Promise<void> } {
  const begun: (() => void)[] = [];
  const failures: ((error: Error) => void)[] = [];
  const sync = (): Promise<void> =>
    new Promise((resolve, reject) => {
      begun.push(resolve);
      failures.push(reject);
    });
  return { begun, failures, sync };
}

/** Notes when a promise has ended. */
function watch(promise: Promise<void>): { hasEnded: boolean } {
  const watched = { hasEnded: false };
  void promise.then(() => (watched.hasEnded = true));
  return watched;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Unsynced', () => {
  it('forces what was written once', async () => {
    const { begun, sync } = heldSyncs();
    const unsynced = new Unsynced();
    await unsynced.force(sync);
    unsynced.note();
    const forced = unsynced.force(sync);
    expect(unsynced.isSome).toBe(true);
    begun[0]!();
    await forced;
    expect(unsynced.isSome).toBe(false);
    await unsynced.force(sync);
    expect(begun).toHaveLength(1);
  });

  // Who asked for a sync while a timed one was under way was told at once that all was on disk.
  it('waits for what another call has begun with', async () => {
    const { begun, sync } = heldSyncs();
    const unsynced = new Unsynced();
    unsynced.note();
    const first = watch(unsynced.force(sync));
    const second = watch(unsynced.force(sync));
    await settled();
    expect([first.hasEnded, second.hasEnded]).toEqual([false, false]);
    begun[0]!();
    await settled();
    expect([first.hasEnded, second.hasEnded]).toEqual([true, true]);
    expect(begun).toHaveLength(1);
  });

  // What ended while a sync was under way was not in it, nor in the next one.
  it('forces anew what was written meanwhile, once for all who wait', async () => {
    const { begun, sync } = heldSyncs();
    const unsynced = new Unsynced();
    unsynced.note();
    const first = watch(unsynced.force(sync));
    unsynced.note();
    const others = [watch(unsynced.force(sync)), watch(unsynced.force(sync))];
    begun[0]!();
    await settled();
    expect([first.hasEnded, ...others.map(({ hasEnded }) => hasEnded)]).toEqual([true, false, false]);
    expect(unsynced.isSome).toBe(true);
    begun[1]!();
    await settled();
    expect(others.map(({ hasEnded }) => hasEnded)).toEqual([true, true]);
    expect(unsynced.isSome).toBe(false);
    expect(begun).toHaveLength(2);
  });

  it('fails for all who wait, and keeps in mind that it did', async () => {
    const { failures, sync } = heldSyncs();
    const unsynced = new Unsynced();
    unsynced.note();
    const calls = [unsynced.force(sync), unsynced.force(sync)];
    const outcomes = Promise.allSettled(calls);
    failures[0]!(new Error('EIO'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(unsynced.isSome).toBe(true);
  });
});
