import { join } from 'node:path';
import { TugelaError } from '../errors.ts';
import { SEGMENT, STATE_KEY } from './keys.ts';
import { decodeTail, TAIL_KEY } from './log-tail.ts';
import { repairAdvice } from './open-advice.ts';
import { decodeQuota, prefixOfQuota, QUOTAS_FROM, QUOTAS_TO, type QuotaRow } from './quota-row.ts';
import { type Level, RowBatch } from './row-batch.ts';
import { SegmentTable } from './segment-table.ts';
import { decodeState, emptyState, type StoreState } from './state-row.ts';
import type { StoreOptions } from './store-options.ts';
import { replayTail } from './tail-replay.ts';
import { ValueLog } from './value-log.ts';
import type { GroupNumber } from './value-record.ts';

/** What the rows of a store say of it, besides its items. */
export interface LoadedContents {
  readonly state: StoreState;
  /** There was no state row: nothing was ever committed. */
  readonly isNew: boolean;
  readonly segments: SegmentTable;
  readonly values: ValueLog;
  readonly quotas: ReadonlyMap<string, QuotaRow>;
}

/**
 * Reads a store's counters and opens its value log; what was committed by its records alone gets its rows (tail-replay.ts), up to
 * the group `upTo`. Value segments that hold nothing are removed, and quota rows that are not kept up to date. `damaged` is
 * told of rows that the store can do without.
 *
 * @throws TugelaError TUGELA_STORE_CORRUPT
 */
export async function loadContents(
  directory: string,
  db: Level,
  options: StoreOptions,
  damaged: (where: string) => void,
  upTo?: GroupNumber,
): Promise<LoadedContents> {
  const row = await db.get(STATE_KEY);
  // Taken for a new store, or with wrong counts, value segments would be removed that hold values.
  if (row === undefined && (await db.keys({ limit: 1 }).all()).length > 0) throw corrupt(directory, 'its state row is not there');
  const state = row === undefined ? emptyState() : decodeState(row);
  if (state === undefined) throw corrupt(directory, 'its state row is damaged');
  const segments = await loadSegments(db);
  if (segments === undefined) throw corrupt(directory, 'its counts of live values in segments are damaged');
  const values = await ValueLog.open(join(directory, 'values'), state.nextSegment, options.segmentBytes);
  const { nextSegment } = state;
  // LevelDB's recovery left all it found in synced tables, so what is empty now stays so, but for what lies behind the rows.
  const tail = decodeTail(await db.get(TAIL_KEY));
  await removeEmpty(values, segments, (id) => id < nextSegment && values.size(id) <= (tail?.offsets.get(id) ?? Number.POSITIVE_INFINITY));
  const quotas = await loadQuotas(db, state, options, damaged);
  await replayTail(db, { state, segments, values, quotas }, upTo, damaged);
  // Segments that no row ever told of. Others that are empty only since now may go when the rows that were made are on disk.
  await removeEmpty(values, segments, (id) => id >= nextSegment);
  // What is acknowledged as being on disk may point to what the process before this one wrote, which may have promised less.
  if (options.syncEveryBatch) await values.sync();
  return { state, isNew: row === undefined, segments, values, quotas };
}

/** Removes those of some segments that hold nothing that is alive. */
async function removeEmpty(values: ValueLog, segments: SegmentTable, isMeant: (id: number) => boolean): Promise<void> {
  for (const id of values.ids()) if (isMeant(id) && segments.use(id).liveItems <= 0) await values.remove(id);
  for (const [id, use] of segments.entries()) if (isMeant(id) && use.liveItems <= 0) segments.forget(id);
}

/**
 * For a stopped server's store that is only to be read: has rows made of what was committed by its records alone. Does
 * nothing where counters are missing or damaged.
 */
export async function replayStopped(directory: string, db: Level): Promise<void> {
  const row = await db.get(STATE_KEY);
  const state = row === undefined ? undefined : decodeState(row);
  const segments = await loadSegments(db);
  if (state === undefined || segments === undefined || (await db.get(TAIL_KEY)) === undefined) return;
  const quotas = new Map<string, QuotaRow>();
  if (state.keepsQuotas === 1) {
    for await (const [key, value] of db.iterator({ gte: QUOTAS_FROM, lt: QUOTAS_TO, fillCache: false })) {
      const quota = decodeQuota(value);
      if (quota !== undefined) quotas.set(prefixOfQuota(key), quota);
    }
  }
  const values = await ValueLog.open(join(directory, 'values'), state.nextSegment);
  try {
    // Who looks for damage finds it without us.
    await replayTail(db, { state, segments, values, quotas }, undefined, () => undefined);
  } finally {
    values.close();
  }
}

/** Reads what is alive in each segment; undefined when it is damaged. */
async function loadSegments(db: Level): Promise<SegmentTable | undefined> {
  const segments = new SegmentTable();
  for await (const [key, value] of db.iterator({ gte: Buffer.from([SEGMENT]), lt: Buffer.from([SEGMENT + 1]) })) {
    if (!segments.load(key, value)) return undefined;
  }
  return segments;
}

/** Reads what is counted of prefixes. Rows that nobody keeps up to date, or did not, are deleted: they would lie later. */
async function loadQuotas(db: Level, state: StoreState, options: StoreOptions, damaged: (where: string) => void): Promise<Map<string, QuotaRow>> {
  const wanted = options.countedPrefixes === undefined ? undefined : new Set(options.countedPrefixes);
  const quotas = new Map<string, QuotaRow>();
  const batch = new RowBatch(db);
  for await (const [key, value] of db.iterator({ gte: QUOTAS_FROM, lt: QUOTAS_TO, fillCache: false })) {
    const prefix = prefixOfQuota(key);
    const quota = decodeQuota(value);
    if (quota === undefined) damaged('a quota row');
    if (quota !== undefined && state.keepsQuotas === 1 && wanted?.has(prefix) !== false) quotas.set(prefix, quota);
    else batch.del(key);
  }
  if (batch.bytes > 0) await batch.write(options.syncEveryBatch);
  state.keepsQuotas = 1;
  return quotas;
}

function corrupt(directory: string, problem: string): TugelaError {
  return new TugelaError('TUGELA_STORE_CORRUPT', `Cannot open store at ${directory}: ${problem}${repairAdvice(directory)}`);
}
