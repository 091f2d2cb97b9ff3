import { vi } from 'vitest';
import { RowBatch } from '../../src/store/row-batch.ts';

/** A commit that is under way for as long as a test wants. */
export interface HeldWrite {
  /** Resolves when the batch is about to be written. */
  readonly begun: Promise<void>;
  /** Lets it be written. */
  release(): void;
}

/** Holds the next batch that is to be written. */
export function holdNextWrite(): HeldWrite {
  const write: (this: RowBatch, sync: boolean) => Promise<void> = Reflect.get(RowBatch.prototype, 'write');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    vi.spyOn(RowBatch.prototype, 'write').mockImplementationOnce(async function held(this: RowBatch, sync) {
      resolve();
      await released;
      await write.call(this, sync);
    });
  });
  return { begun, release };
}

/** Makes the next batch fail, as on a full disk, or the one after `before` others. */
export function failNextWrite(before: number = 0): void {
  const write: (this: RowBatch, sync: boolean) => Promise<void> = Reflect.get(RowBatch.prototype, 'write');
  const spy = vi.spyOn(RowBatch.prototype, 'write');
  for (let i = 0; i < before; i++) spy.mockImplementationOnce(write);
  spy.mockRejectedValueOnce(new Error('disk full'));
}
