import { addReports, NOTHING_REAPED } from './reap-report.ts';
import type { DueList, DueRow, ListedItem, ReapReport, SweepTarget } from './target.ts';

/** What is done with that which a pass finds: deleted, or only looked at. */
export interface Disposal {
  /** False when nothing is changed, so that a pass meets the same rows again if it begins anew. */
  readonly deletes: boolean;
  rows(list: DueList): Promise<ReapReport>;
  items(items: readonly ListedItem[]): Promise<ReapReport>;
}

/** Has everything deleted by the target, on its conditions. */
export function deleting(target: SweepTarget): Disposal {
  return {
    deletes: true,
    rows: async (list) => await target.reap(list.seen, list.rows.map((row) => row.id)),
    items: async (items) => await target.remove(items),
  };
}

/** Keys that are asked about at once: enough to fill a network's delay, few enough for one moment's work. */
const KEYS_AT_ONCE = 64;

/** Keys remembered as shown; see `previewing`. */
const REMEMBERED_KEYS = 100_000;

/**
 * Shows what would be deleted and changes nothing. An index row only says which keys were once due at
 * that time, so each key is looked up: only items that are due by the row's deadline are shown, those
 * rewritten or touched since are counted as stale. An item that several rows list is shown once, as
 * long as no more than 100,000 others came between.
 */
export function previewing(target: SweepTarget, show: (item: ListedItem) => Promise<void>): Disposal {
  const shown = new Set<string>();
  const isNew = (item: ListedItem): boolean => {
    const name = item.key.toString('latin1');
    if (shown.has(name)) return false;
    if (shown.size >= REMEMBERED_KEYS) shown.clear();
    shown.add(name);
    return true;
  };
  const showAll = async (items: readonly ListedItem[], scanned: number): Promise<ReapReport> => {
    const fresh = items.filter(isNew);
    let bytes = 0;
    for (const item of fresh) {
      bytes += item.key.length + item.length;
      await show(item);
    }
    return { scanned, deleted: fresh.length, bytes, stale: 0, changed: 0 };
  };
  const row = async ({ id, deadline }: DueRow): Promise<ReapReport> => {
    const keys = await target.keys(id);
    let total = NOTHING_REAPED;
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      const some = keys.slice(at, at + KEYS_AT_ONCE);
      const found = await Promise.all(some.map(async (key) => await lookUp(target, key)));
      const due = found.filter((item) => item !== undefined && item.expiresAt !== 0 && item.expiresAt <= deadline);
      const report = await showAll(due as readonly ListedItem[], some.length);
      total = addReports(total, { ...report, stale: some.length - due.length });
    }
    return total;
  };
  return {
    deletes: false,
    async rows(list) {
      let total = NOTHING_REAPED;
      for (const each of list.rows) total = addReports(total, await row(each));
      return total;
    },
    items: async (items) => await showAll(items, items.length),
  };
}

/** In key order a key comes first among those that begin with it. */
async function lookUp(target: SweepTarget, key: Buffer): Promise<ListedItem | undefined> {
  const { items } = await target.list({ limit: 1, prefix: key });
  const first = items[0];
  return first?.key.equals(key) === true ? first : undefined;
}
