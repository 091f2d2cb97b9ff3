import { encodeUriKey } from '../protocol/uri-key.ts';
import type { Figures } from './figures.ts';

/** Columns of a figure with its name. */
const CELL_COLUMNS = 26;
/** Columns for the name in it. */
const NAME_COLUMNS = 11;
/** Widest number before a key. */
const COUNT_COLUMNS = 10;
/** Bytes used and their limit. */
const USE_COLUMNS = 15;

/** Where it is shown. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The figures as lines of text that fit a screen; what does not fit is left out from the end. */
export function render(figures: Figures, server: string, size: Size): string[] {
  const head = `${server}  ${figures.version}  up ${duration(figures.uptimeSeconds)}${figures.isWritable ? '' : '  WRITES ARE REFUSED'}`;
  const lines = [head, '', ...table(cells(figures), size.columns)];
  lines.push(...quotaList(figures, size.rows - lines.length));
  lines.push('', ...keyLists(figures, size.columns, size.rows - lines.length - 1));
  return lines.slice(0, size.rows).map((line) => line.slice(0, size.columns).trimEnd());
}

function cells(figures: Figures): [string, string][] {
  return [
    ['ops/s', count(figures.opsPerSecond)],
    ['gets/s', count(figures.getsPerSecond)],
    ['sets/s', count(figures.setsPerSecond)],
    ['deletes/s', count(figures.deletesPerSecond)],
    ['touches/s', count(figures.touchesPerSecond)],
    ['incr/s', count(figures.arithmeticPerSecond)],
    ['hits', percent(figures.hitRate)],
    ['hits ever', percent(figures.hitRateTotal)],
    ['hits in RAM', percent(figures.ramHitRate)],
    ['probe', `${figures.probeMs.toFixed(2)} ms`],
    ['loop delay', `${figures.loopDelayMs.toFixed(1)} ms`],
    ['clients', `${figures.connections}/${figures.connectionsMax}`],
    ['in/s', bytes(figures.bytesReadPerSecond)],
    ['out/s', bytes(figures.bytesWrittenPerSecond)],
    ['disk rows/s', count(figures.rowsReadPerSecond)],
    ['items', count(figures.items)],
    ['RAM', `${bytes(figures.ramUsedBytes)}/${bytes(figures.ramLimitBytes)}`],
    ['RAM items', count(figures.ramItems)],
    ['disk', bytes(figures.diskBytes)],
    ['live', bytes(figures.liveBytes)],
    ['dead values', bytes(figures.deadBytes)],
    ['batches/s', count(figures.batchesPerSecond)],
    ['writes/s', count(figures.mutationsPerSecond)],
    ['unwritten', bytes(figures.pendingBytes)],
    ['index', count(figures.indexEntries)],
    ['overdue', figures.overdueSeconds === null ? '-' : duration(figures.overdueSeconds)],
    ['deletes', `${figures.prefixDeletes} jobs`],
  ];
}

/** As many cells beside each other as fit, three at most: they belong together by threes. */
function table(all: readonly [string, string][], columns: number): string[] {
  const across = Math.max(1, Math.min(3, Math.floor((columns + 2) / CELL_COLUMNS)));
  const lines: string[] = [];
  for (let i = 0; i < all.length; i += across) {
    const row = all.slice(i, i + across).map(([name, value]) => `${name.padEnd(NAME_COLUMNS)} ${value.padStart(CELL_COLUMNS - NAME_COLUMNS - 3)}`);
    lines.push(row.join('  '));
  }
  return lines;
}

/** As many quotas as leave most of the lines to what follows; nothing where there are none. */
function quotaList({ quotas }: Figures, rows: number): string[] {
  if (quotas.length === 0) return [];
  const shown = quotas.slice(0, Math.max(1, Math.floor(rows / 4))).map(({ prefix, usedBytes, limitBytes, evictionsPerSecond }) => {
    const use = `${bytes(usedBytes)}/${bytes(limitBytes)}`;
    return `${percent(usedBytes / limitBytes).padStart(COUNT_COLUMNS)}${use.padStart(USE_COLUMNS)}${entry(count(evictionsPerSecond), prefix)}`;
  });
  return ['', 'quotas, fullest first: used, evictions/s', ...shown];
}

/** The two lists beside each other on a wide screen, else one below the other, each with its share of the lines. */
function keyLists({ hotKeys, bigValues }: Figures, columns: number, rows: number): string[] {
  if (hotKeys === null || bigValues === null) return ['hot keys and large values: control commands are not accepted here'];
  const hot = ['hot keys, about so often', ...hotKeys.map(({ key, count: times }) => entry(count(times), key))];
  const big = ['large values', ...bigValues.map(({ key, size }) => entry(bytes(size), key))];
  if (columns >= 100) {
    const half = Math.floor(columns / 2);
    const length = Math.min(Math.max(hot.length, big.length), Math.max(0, rows));
    return Array.from({ length }, (_, i) => `${(hot[i] ?? '').slice(0, half - 2).padEnd(half)}${big[i] ?? ''}`);
  }
  const forBig = Math.min(big.length, Math.max(3, Math.floor(rows / 3)));
  return [...hot.slice(0, Math.max(1, rows - forBig)), ...big.slice(0, forBig)];
}

function entry(number: string, key: Buffer): string {
  return `${number.padStart(COUNT_COLUMNS)}  ${encodeUriKey(key, 0, key.length)}`;
}

/** 1234 = `1,234`, from a million on `1.23 M`. */
function count(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(2)} G`;
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`;
  return n < 10 && !Number.isInteger(n) ? n.toFixed(1) : Math.round(n).toLocaleString('en-US');
}

function bytes(n: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = n;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function percent(part: number | null): string {
  return part === null ? '-' : `${(part * 100).toFixed(1)} %`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}
