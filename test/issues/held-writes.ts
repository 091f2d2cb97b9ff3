import { vi } from 'vitest';
import { GroupWriter } from '../../src/store/group-writer.ts';

/** A commit that is under way for as long as a test wants. */
export interface HeldWrite {
  /** Resolves when the group is about to be written. */
  readonly begun: Promise<void>;
  /** Lets it be written. */
  release(): void;
}

type WriteRecords = GroupWriter['writeRecords'];

/** Holds the next group that is to be written. */
export function holdNextWrite(): HeldWrite {
  const write: WriteRecords = Reflect.get(GroupWriter.prototype, 'writeRecords');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    vi.spyOn(GroupWriter.prototype, 'writeRecords').mockImplementationOnce(async function held(this: GroupWriter, records) {
      resolve();
      await released;
      await write.call(this, records);
    });
  });
  return { begun, release };
}

/** Makes the next group fail, as on a full disk, or the one after `before` others. */
export function failNextWrite(before: number = 0): void {
  const write: WriteRecords = Reflect.get(GroupWriter.prototype, 'writeRecords');
  const spy = vi.spyOn(GroupWriter.prototype, 'writeRecords');
  for (let i = 0; i < before; i++) spy.mockImplementationOnce(write);
  spy.mockRejectedValueOnce(new Error('disk full'));
}
