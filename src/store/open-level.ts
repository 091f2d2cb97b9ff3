import { ClassicLevel } from 'classic-level';
import { TugelaError } from '../errors.ts';
import { readOwner } from './directory.ts';
import { lockedError, prepareLevel } from './level-mend.ts';
import { accessAdvice, repairAdvice } from './open-advice.ts';
import type { Level } from './row-batch.ts';
import type { StoreOptions } from './store-options.ts';
import { BLOCK_BYTES, COMPRESSION, TABLE_FILE_BYTES, WRITE_BUFFER_BYTES } from './tuning.ts';

type LevelOptions = Pick<StoreOptions, 'blockCacheBytes' | 'writeBufferBytes' | 'tableBytes'>;

/**
 * Opens a store's LevelDB, and mends first what a crash left at the end of its log, of which `onLogCut` is told.
 *
 * @throws TugelaError as `openLevel` does
 */
export async function openMended(directory: string, options: LevelOptions & Pick<StoreOptions, 'onLogCut'>): Promise<Level> {
  const cut = await prepareLevel(directory);
  const db = await openLevel(directory, options);
  if (cut !== undefined) options.onLogCut?.(cut);
  return db;
}

/**
 * Opens a store's LevelDB as it is.
 *
 * @throws TugelaError TUGELA_STORE_LOCKED, TUGELA_STORE_CORRUPT, TUGELA_STORE_FAILED
 */
export async function openLevel(directory: string, options: LevelOptions, createIfMissing = true): Promise<Level> {
  const db: Level = new ClassicLevel<Buffer, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: options.blockCacheBytes,
    writeBufferSize: options.writeBufferBytes ?? WRITE_BUFFER_BYTES,
    maxFileSize: options.tableBytes ?? TABLE_FILE_BYTES,
    blockSize: BLOCK_BYTES,
    compression: COMPRESSION,
    createIfMissing,
  });
  try {
    await db.open();
    return db;
  } catch (error) {
    throw await openError(directory, error);
  }
}

async function openError(directory: string, error: unknown): Promise<TugelaError> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (code === 'LEVEL_LOCKED') return lockedError(directory, await readOwner(directory), cause);
  if (code === 'LEVEL_CORRUPTION') {
    return new TugelaError('TUGELA_STORE_CORRUPT', `Cannot open store at ${directory}: LevelDB finds it damaged: ${text}${repairAdvice(directory)}`, { cause });
  }
  return new TugelaError('TUGELA_STORE_FAILED', `Cannot open store at ${directory}: ${text}${accessAdvice(text)}`, { cause });
}
