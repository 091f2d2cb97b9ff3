import { closeSync, mkdtempSync, openSync, rmSync, writev, writevSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ClassicLevel } from 'classic-level';
import { median, medianRatio } from '../statistics.ts';
import { formatTable } from '../table.ts';

const writevAsync = promisify(writev);
const FILES = 4;
const WRITE_BYTES = 1024;
/** Files are written in circles, so that the same pages are always in memory. */
const CIRCLE_BYTES = 2 ** 20;
const ROWS = 20_000;
const ROW_BYTES = 100;
/** Keys of one getMany: what a turn of the event loop misses under load. */
const TOGETHER = 16;
/** Times as long as a pure layer is measured: the thread pool is noisier. */
const LONGER = 5;

/** A call that can be made at once, or through the thread pool. */
interface Case {
  readonly name: string;
  /** Operations of one call. */
  readonly count: number;
  readonly atOnce: () => void;
  readonly throughPool: () => Promise<unknown>;
}

/** Microseconds of CPU per operation, of all threads, by round. */
interface Figures {
  readonly name: string;
  readonly atOnce: readonly number[];
  readonly throughPool: readonly number[];
}

/** What `store/write-pace.ts` and `cache/read-pace.ts` choose between, on files that are in the page cache. */
export async function measureBlockingCalls(rounds: number, seconds: number): Promise<readonly Figures[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tugela-micro-'));
  const db = new ClassicLevel<Buffer, Buffer>(join(directory, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const fds = Array.from({ length: FILES }, (_, i) => openSync(join(directory, String(i)), 'w'));
  try {
    await fillRows(db);
    const figures: { name: string; atOnce: number[]; throughPool: number[] }[] = [];
    for (const { name, count, atOnce, throughPool } of [...writes(fds), ...reads(db)]) {
      const measured = { name, atOnce: [] as number[], throughPool: [] as number[] };
      for (let round = 0; round < rounds; round++) {
        measured.atOnce.push(await cpuPerCall(atOnce, seconds * LONGER) / count);
        measured.throughPool.push(await cpuPerCall(throughPool, seconds * LONGER) / count);
      }
      figures.push(measured);
    }
    return figures;
  } finally {
    for (const fd of fds) closeSync(fd);
    await db.close();
    rmSync(directory, { recursive: true });
  }
}

/** The table of the figures, in Markdown. */
export function writeBlockingReport(figures: readonly Figures[]): string {
  const rows = figures.map(({ name, atOnce, throughPool }) => [name, median(atOnce).toFixed(1), median(throughPool).toFixed(1), (medianRatio(throughPool, atOnce) ?? Number.NaN).toFixed(1)]);
  return [
    '### At once, or through the thread pool',
    'CPU in µs per write of 1 KB or row of 100 B, of all threads, with files and tables in the page cache.',
    formatTable(['', 'at once', 'thread pool', '×'], rows),
  ].join('\n\n');
}

function writes(fds: readonly number[]): Case[] {
  const bytes = [Buffer.alloc(WRITE_BYTES, 'x')];
  let position = 0;
  const next = (): number => (position = (position + WRITE_BYTES) % CIRCLE_BYTES);
  return [fds.slice(0, 1), fds].map((some) => ({
    name: some.length === 1 ? 'a write to one file' : `writes to ${some.length} files, one after the other`,
    count: some.length,
    atOnce() {
      for (const fd of some) writevSync(fd, bytes, next());
    },
    async throughPool() {
      for (const fd of some) await writevAsync(fd, bytes, next());
    },
  }));
}

function reads(db: ClassicLevel<Buffer, Buffer>): Case[] {
  let at = 0;
  const next = (): Buffer => keyOf((at = (at + 7919) % ROWS));
  const several = (): Buffer[] => Array.from({ length: TOGETHER }, next);
  return [
    { name: 'a row of LevelDB', count: 1, atOnce: () => void db.getSync(next()), throughPool: () => db.get(next()) },
    {
      name: `${TOGETHER} rows of LevelDB at a time`,
      count: TOGETHER,
      atOnce() {
        for (const key of several()) db.getSync(key);
      },
      throughPool: () => db.getMany(several()),
    },
  ];
}

function keyOf(row: number): Buffer {
  return Buffer.from(`key:${String(row).padStart(12, '0')}`);
}

async function fillRows(db: ClassicLevel<Buffer, Buffer>): Promise<void> {
  await db.open();
  const value = Buffer.alloc(ROW_BYTES, 'v');
  await db.batch(Array.from({ length: ROWS }, (_, row) => ({ type: 'put' as const, key: keyOf(row), value })));
  // Out of the write buffer, into tables.
  await db.compactRange(keyOf(0), keyOf(ROWS));
}

async function cpuPerCall(call: () => unknown, seconds: number): Promise<number> {
  const endsAt = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  let calls = 0;
  for (; performance.now() < endsAt; calls++) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
