import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { found, type Item, type Layout, type Mode, type Sink } from "./layout.ts";

/** Bytes of metadata: flags u32, due u32, cas u64. */
export const META = 16;

/** A row of metadata with room for `rest` further bytes. */
export function metaRow(due: number, rest: number): Buffer {
  const row = Buffer.allocUnsafe(META + rest).fill(0, 0, META);
  row.writeUInt32LE(due, 4);
  return row;
}

/** Rows of a batch of items, and for `seq` the values that go into the same LevelDB batch. */
export interface Placed { readonly rows: readonly Buffer[]; readonly values?: readonly (readonly [Buffer, Buffer])[] }

/** Items in LevelDB, with values where the layout puts them. */
export abstract class Store {
  readonly layout: Layout;
  readonly directory: string;
  readonly db: ClassicLevel<Buffer, Buffer>;
  #batches = 0;

  constructor(layout: Layout, directory: string) {
    this.layout = layout;
    this.directory = directory;
    this.db = new ClassicLevel(join(directory, "level"), { ...layout.level, keyEncoding: "buffer", valueEncoding: "buffer" });
  }

  /** Gives the rows of items, after writing what must be on disk before the rows are. */
  abstract place(items: readonly Item[]): Promise<Placed> | Placed;
  /** Reads the values that rows stand for. */
  abstract values(rows: readonly Buffer[], mode: Mode): Promise<readonly Buffer[]> | readonly Buffer[];
  /** Accounts for a row that is replaced or deleted. */
  protected release(_sink: Sink, _row: Buffer): void {}
  open(): Promise<void> { return this.db.open(); }

  protected async commit(fill: (sink: Sink) => void): Promise<void> {
    if (this.layout.chained) {
      const batch = this.db.batch();
      fill(batch);
      return batch.write();
    }
    const operations: ({ type: "put"; key: Buffer; value: Buffer } | { type: "del"; key: Buffer })[] = [];
    fill({ put: (key, value) => operations.push({ type: "put", key, value }), del: (key) => operations.push({ type: "del", key }) });
    return this.db.batch(operations);
  }

  async write(items: readonly Item[], readFirst: boolean): Promise<void> {
    const old = readFirst ? await this.db.getMany(items.map((item) => item.key)) : [];
    const { rows, values = [] } = await this.place(items);
    await this.commit((sink) => {
      for (const row of old) if (row !== undefined) this.release(sink, row);
      const buckets = new Map<number, Buffer[]>();
      for (const [i, { key, due }] of items.entries()) {
        sink.put(key, found(rows[i]));
        if (due !== 0) buckets.set(due, [...(buckets.get(due) ?? []), key]);
      }
      for (const [key, value] of values) sink.put(key, value);
      for (const [due, keys] of buckets) sink.put(indexKey(due, this.#batches++), Buffer.concat(keys));
    });
  }

  async get(keys: readonly Buffer[], mode: Mode): Promise<readonly Buffer[]> {
    if (mode === "each+async") return (await Promise.all(keys.map(async (key) => this.values([found(await this.db.get(key))], mode)))).flat();
    if (mode !== "sync") return this.values((await this.db.getMany([...keys])).map(found), mode);
    return this.values(keys.map((key) => found(this.db.getSync(key))), mode);
  }

  /** Deletes what is due; gives the number of items deleted. */
  async expire(now: number): Promise<number> {
    const rows = this.db.iterator({ gte: Buffer.from("t"), lt: indexKey(now, 0) });
    let deleted = 0;
    for (let due = await rows.nextv(8); due.length > 0; due = await rows.nextv(8)) {
      const seen = new Map<string, Buffer>();
      for (const [, packed] of due) {
        for (let at = 0; at < packed.length; at += 18) seen.set(packed.toString("latin1", at, at + 18), packed.subarray(at, at + 18));
      }
      const keys = [...seen.values()];
      const current = await this.db.getMany(keys);
      await this.commit((sink) => {
        for (const [i, row] of current.entries()) {
          if (row === undefined || row.readUInt32LE(4) === 0 || row.readUInt32LE(4) >= now) continue;
          sink.del(found(keys[i]));
          this.release(sink, row);
          deleted++;
        }
        for (const [key] of due) sink.del(key);
      });
    }
    await rows.close();
    return deleted;
  }

  /** Gives the space of deleted items back; gives the bytes of live data moved, if known. */
  async reclaim(): Promise<number> {
    await this.db.compactRange(Buffer.from("k"), Buffer.from("w"));
    return 0;
  }
}

/** Values in the rows. */
export class InlineStore extends Store {
  place(items: readonly Item[]): Placed {
    return { rows: items.map(({ value, due }) => {
      const row = metaRow(due, value.length);
      value.copy(row, META);
      return row;
    }) };
  }
  values(rows: readonly Buffer[]): readonly Buffer[] { return rows.map((row) => row.subarray(META)); }
}

/** Values in LevelDB under sequence numbers. */
export class SequenceStore extends Store {
  #next = 1;
  place(items: readonly Item[]): Placed {
    const rows = items.map(({ due }) => {
      const row = metaRow(due, 7);
      row[META] = 0x76; // v
      row.writeUIntBE(this.#next++, META + 1, 6);
      return row;
    });
    return { rows, values: items.map(({ value }, i) => [found(rows[i]).subarray(META), value]) };
  }
  protected override release(sink: Sink, row: Buffer): void { sink.del(row.subarray(META)); }
  async values(rows: readonly Buffer[], mode: Mode): Promise<readonly Buffer[]> {
    const keys = rows.map((row) => row.subarray(META));
    return (mode === "sync" ? keys.map((key) => this.db.getSync(key)) : await this.db.getMany(keys)).map(found);
  }
}

function indexKey(due: number, batch: number): Buffer {
  const key = Buffer.alloc(9, "t");
  key.writeUInt32BE(due, 1);
  key.writeUInt32BE(batch, 5);
  return key;
}
