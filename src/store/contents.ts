import { CountedPrefixes } from './counted-prefixes.ts';
import { type LoadedContents, loadContents } from './load-contents.ts';
import { openMended } from './open-level.ts';
import type { Level } from './row-batch.ts';
import type { SegmentTable } from './segment-table.ts';
import type { StoreState } from './state-row.ts';
import type { StoreOptions } from './store-options.ts';
import type { ValueLog } from './value-log.ts';
import type { GroupNumber } from './value-record.ts';

/**
 * How far the cas unique jumps at each start: over all that an unfinished run may have shown to a
 * client without having it on disk. 2^53 / 2^28 starts are possible.
 */
const CAS_JUMP = 2 ** 28;

/**
 * What a store has open, and what it counts as of everything staged. The parts of a store share one, and ask it anew each
 * time: all of it is replaced when LevelDB is opened anew.
 */
export class Contents {
  readonly directory: string;
  readonly #options: StoreOptions;
  readonly #damaged: (where: string) => void;
  db: Level;
  state: StoreState;
  segments: SegmentTable;
  values: ValueLog;
  /** Undefined when no prefix is counted. */
  counted: CountedPrefixes | undefined;
  /** The cas unique in the state row on disk. */
  casOnDisk: number;
  /** The highest that was given out when the newest group was closed, which may be on its way. */
  casOfGroup: number;
  /** LevelDB knows where the value log goes on behind its rows (log-tail.ts): since the first batch after it was opened. */
  hasTail = false;

  private constructor(directory: string, options: StoreOptions, damaged: (where: string) => void, db: Level, { state, isNew, segments, values, quotas }: LoadedContents) {
    this.directory = directory;
    this.#options = options;
    this.#damaged = damaged;
    this.db = db;
    this.casOnDisk = isNew ? Number.NEGATIVE_INFINITY : state.cas;
    if (!isNew) state.cas += CAS_JUMP;
    this.casOfGroup = state.cas;
    this.state = state;
    this.segments = segments;
    this.values = values;
    this.#count(quotas);
  }

  /**
   * Opens what is in a store's directory. `damaged` is told of rows that are left out.
   *
   * @throws TugelaError TUGELA_STORE_LOCKED, TUGELA_STORE_CORRUPT, TUGELA_STORE_FAILED
   */
  static async open(directory: string, options: StoreOptions, damaged: (where: string) => void): Promise<Contents> {
    const db = await openMended(directory, options);
    try {
      return new Contents(directory, options, damaged, db, await loadContents(directory, db, options, damaged));
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /**
   * Closes LevelDB, opens it anew and reads what it holds, for `replace`. Until then all but `db` is as it was. What is behind the
   * rows in the value log is taken up to the group `upTo`.
   *
   * @throws TugelaError as `open` does
   */
  async openAnew(upTo: GroupNumber): Promise<LoadedContents> {
    await this.db.close();
    this.db = await openMended(this.directory, this.#options);
    return await loadContents(this.directory, this.db, this.#options, this.#damaged, upTo);
  }

  /** Takes over what `openAnew` read, all at once: commands went on while it did. */
  replace({ state, isNew, segments, values, quotas }: LoadedContents): void {
    const { cas } = this.state;
    this.casOnDisk = isNew ? Number.NEGATIVE_INFINITY : state.cas;
    this.hasTail = false;
    if (!isNew || cas > 0) state.cas = Math.max(cas, state.cas) + CAS_JUMP;
    this.casOfGroup = state.cas;
    this.state = state;
    this.segments = segments;
    this.values.close();
    this.values = values;
    this.#count(quotas);
  }

  #count(quotas: LoadedContents['quotas']): void {
    const prefixes = this.#options.countedPrefixes ?? [...quotas.keys()];
    if (prefixes.length > 0) this.counted ??= new CountedPrefixes(prefixes);
    this.counted?.load(quotas);
  }
}
