import type {
  CompactReport,
  DueList,
  IndexState,
  ItemList,
  ListedItem,
  ListQuery,
  ReapReport,
  SweepTarget,
} from '../../daemon/target.ts';

interface StoredItem {
  cas: number;
  expiresAt: number;
  storedAt: number;
  length: number;
}

interface IndexRow {
  readonly id: string;
  readonly deadline: number;
  readonly keys: readonly string[];
}

/** A store in memory that keeps the promises of a sweep target. */
export class FakeTarget implements SweepTarget {
  now = 1_700_000_000;
  busyMs = 0;
  /** Bytes that should be evicted; an item of ten goes at a time. */
  evictBytes = 0;
  /** Dead bytes that compaction is worth; ten go at a time. */
  compactBytes = 0;
  readonly items = new Map<string, StoredItem>();
  rows: IndexRow[] = [];
  readonly calls: string[] = [];
  readonly reports: ReadonlyMap<string, string>[] = [];
  /** Called before each request; what it throws fails the request. */
  before: (call: string) => void = () => undefined;
  #cas = 0;

  /** Stores items of ten bytes that share an expiry, in one index row if they expire. */
  store(keys: readonly string[], expiresAt: number, storedAt = this.now): void {
    for (const key of keys) this.items.set(key, { cas: ++this.#cas, expiresAt, storedAt, length: 10 });
    if (expiresAt === 0) return;
    this.rows.push({ id: `${expiresAt}-${this.#cas}`, deadline: expiresAt, keys });
    this.rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  touch(key: string, expiresAt: number): void {
    const item = this.items.get(key);
    if (item !== undefined) item.expiresAt = expiresAt;
  }

  keyNames(): string[] {
    return [...this.items.keys()].toSorted();
  }

  state(): Promise<IndexState> {
    return this.#answer('state', () => ({
      entries: this.rows.reduce((sum, row) => sum + row.keys.length, 0),
      oldestDeadline: this.rows[0]?.deadline ?? 0,
      now: this.now,
      busyMs: this.busyMs,
      evictBytes: this.evictBytes,
      liveBytes: 1000,
      diskBytes: this.compactBytes + 1005,
      deadBytes: this.compactBytes + 5,
      compactBytes: this.compactBytes,
      valueBytesGivenBack: 7,
    }));
  }

  evict(bytes: number): Promise<ReapReport> {
    return this.#answer(`evict ${bytes}`, () => {
      const [oldest] = this.items.keys();
      if (oldest === undefined) return { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
      this.items.delete(oldest);
      this.evictBytes = Math.max(0, this.evictBytes - 10);
      return { scanned: 2, deleted: 1, bytes: 10, stale: 0, changed: 1 };
    });
  }

  compact(): Promise<CompactReport> {
    return this.#answer('compact', () => {
      const bytes = Math.min(10, this.compactBytes);
      this.compactBytes -= bytes;
      return { runs: bytes > 0 ? 1 : 0, bytes };
    });
  }

  due(limit: number, after?: string): Promise<DueList> {
    return this.#answer(`due ${limit} ${after ?? '-'}`, () => {
      const due = this.rows.filter((row) => row.deadline <= this.now && (after === undefined || row.id > after));
      let entries = 0;
      const taken = due.filter((row, index) => {
        entries += row.keys.length;
        return index === 0 || entries <= limit;
      });
      const rows = taken.map(({ id, deadline, keys }) => ({ id, deadline, entries: keys.length }));
      return { rows, next: taken.length < due.length ? taken.at(-1)?.id : undefined, seen: String(this.#cas) };
    });
  }

  keys(row: string): Promise<Buffer[]> {
    return this.#answer(`keys ${row}`, () => {
      const found = this.rows.find(({ id }) => id === row);
      return (found?.keys ?? []).map((key) => Buffer.from(key));
    });
  }

  reap(seen: string, rows: readonly string[]): Promise<ReapReport> {
    return this.#answer(`reap ${rows.length}`, () => {
      const report = { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
      for (const row of this.rows.filter(({ id }) => rows.includes(id))) {
        for (const key of row.keys) {
          report.scanned++;
          const item = this.items.get(key);
          if (item === undefined || item.expiresAt === 0 || item.expiresAt > row.deadline) report.stale++;
          else if (item.cas > Number(seen)) report.changed++;
          else this.#drop(key, item, report);
        }
      }
      this.rows = this.rows.filter(({ id }) => !rows.includes(id));
      return report;
    });
  }

  list(query: ListQuery): Promise<ItemList> {
    return this.#answer(`list ${query.limit} ${query.after ?? '-'}`, () => {
      const prefix = query.prefix?.toString() ?? '';
      const after = query.after;
      const range = this.keyNames().filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
      const looked = range.slice(0, query.limit);
      const items = looked.flatMap((key) => {
        const item = this.items.get(key);
        if (item === undefined || (query.storedBefore !== undefined && item.storedAt >= query.storedBefore)) return [];
        return [{ ...item, key: Buffer.from(key), cas: String(item.cas) }];
      });
      return { items, next: looked.length < range.length ? looked.at(-1) : undefined };
    });
  }

  remove(items: readonly ListedItem[]): Promise<ReapReport> {
    return this.#answer(`remove ${items.length}`, () => {
      const report = { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
      for (const listed of items) {
        const key = listed.key.toString();
        const item = this.items.get(key);
        report.scanned++;
        if (item === undefined) report.stale++;
        else if (String(item.cas) !== listed.cas || item.expiresAt !== listed.expiresAt) report.changed++;
        else this.#drop(key, item, report);
      }
      return report;
    });
  }

  report(stats: ReadonlyMap<string, string>): Promise<void> {
    return this.#answer('report', () => void this.reports.push(stats));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #drop(key: string, item: StoredItem, report: { deleted: number; bytes: number }): void {
    this.items.delete(key);
    report.deleted++;
    report.bytes += key.length + item.length;
  }

  async #answer<T>(call: string, answer: () => T): Promise<T> {
    this.calls.push(call);
    this.before(call);
    await Promise.resolve();
    return answer();
  }
}
