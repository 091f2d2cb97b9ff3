import { closeSync, mkdirSync, openSync, read, readSync, readdirSync, statSync, unlinkSync, writev } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { BATCH, found, type Item, type Layout, MIB, type Mode, type Sink } from "./layout.ts";
import { InlineStore, META, metaRow, type Placed, SequenceStore, Store } from "./store.ts";

const SEGMENT_BYTES = 64 * MIB;

interface Segment { readonly id: number; readonly fd: number; readonly path: string; size: number; live: number }
const HEADER = 12; // key length u32, value length u32, crc32 of key and value u32

/** record := header key value; pointer := segment u32, offset u32, length of the record u32, crc32 u32. */
export class SegmentStore extends Store {
  readonly #segments = new Map<number, Segment>();
  readonly #active: Segment[] = [];

  override async open(): Promise<void> {
    await super.open();
    const names = readdirSync(this.directory).filter((name) => name.endsWith(".seg"));
    for (const name of names) this.#add(Number.parseInt(name, 10), "r+");
  }

  #add(id: number, flags: string): Segment {
    const path = join(this.directory, `${id}.seg`);
    const segment = { id, fd: openSync(path, flags), path, size: statSync(path).size, live: 0 };
    this.#segments.set(id, segment);
    return segment;
  }

  async place(items: readonly Item[]): Promise<Placed> {
    if (!this.layout.split) return { rows: await this.#append(0, items) };
    const lasting = await this.#append(0, items.filter((item) => item.due === 0));
    const expiring = await this.#append(1, items.filter((item) => item.due !== 0));
    return { rows: items.map((item) => found((item.due === 0 ? lasting : expiring).shift())) };
  }

  /** Appends values to the group's segment in one write and gives their rows. */
  async #append(group: number, items: readonly Item[]): Promise<Buffer[]> {
    if (items.length === 0) return [];
    let segment = this.#active[group];
    if (segment === undefined || segment.size > SEGMENT_BYTES) {
      segment = this.#active[group] = this.#add(Math.max(0, ...this.#segments.keys()) + 1, "wx+");
    }
    const parts: Buffer[] = [];
    const rows: Buffer[] = [];
    const start = segment.size;
    for (const { key, value, due } of items) {
      const length = HEADER + key.length + value.length;
      const crc = crc32(value, crc32(key));
      const head = Buffer.allocUnsafe(HEADER + key.length);
      head.writeUInt32LE(key.length, 0);
      head.writeUInt32LE(value.length, 4);
      head.writeUInt32LE(crc, 8);
      key.copy(head, HEADER);
      parts.push(head, value);
      const row = metaRow(due, 16);
      row.writeUInt32LE(segment.id, META);
      row.writeUInt32LE(segment.size, META + 4);
      row.writeUInt32LE(length, META + 8);
      row.writeUInt32LE(crc, META + 12);
      rows.push(row);
      segment.size += length;
      segment.live += length;
    }
    const { bytesWritten } = await promisify(writev)(segment.fd, parts, start);
    if (bytesWritten !== segment.size - start) throw new Error("short write");
    return rows;
  }

  protected override release(_sink: Sink, row: Buffer): void { this.#segmentOf(row).live -= row.readUInt32LE(META + 8); }
  #segmentOf(row: Buffer): Segment { return found(this.#segments.get(row.readUInt32LE(META))); }

  values(rows: readonly Buffer[], mode: Mode): Promise<readonly Buffer[]> | readonly Buffer[] {
    const place = (row: Buffer) => [this.#segmentOf(row).fd, Buffer.allocUnsafe(row.readUInt32LE(META + 8)), row.readUInt32LE(META + 4)] as const;
    if (mode.endsWith("async")) {
      return Promise.all(rows.map((row) => new Promise<Buffer>((resolve, reject) => {
        const [fd, record, at] = place(row);
        read(fd, record, 0, record.length, at, (error) => (error === null ? resolve(checked(record, row)) : reject(error)));
      })));
    }
    return rows.map((row) => {
      const [fd, record, at] = place(row);
      readSync(fd, record, 0, record.length, at);
      return checked(record, row);
    });
  }

  /** Drops empty segments, after moving what lives in segments that are more than half dead. */
  override async reclaim(): Promise<number> {
    let moved = 0;
    this.#active.length = 0; // Nothing is relocated into a segment that may be relocated itself.
    for (const segment of this.#segments.values()) {
      if (segment.live * 2 >= segment.size) continue;
      if (segment.live > 0) moved += await this.#relocate(segment);
      this.#segments.delete(segment.id);
      closeSync(segment.fd);
      unlinkSync(segment.path);
    }
    await this.db.compactRange(Buffer.from("t"), Buffer.from("u"));
    return moved;
  }

  async #relocate(segment: Segment): Promise<number> {
    const chunk = Buffer.alloc(4 * MIB);
    let moved = 0;
    for (let offset = 0, at = 0; offset < segment.size; offset += at) {
      const filled = readSync(segment.fd, chunk, 0, chunk.length, offset);
      const records: { key: Buffer; value: Buffer; offset: number }[] = [];
      for (at = 0; at + HEADER <= filled;) {
        const value = at + HEADER + chunk.readUInt32LE(at);
        const end = value + chunk.readUInt32LE(at + 4);
        if (end > filled) break;
        records.push({ key: chunk.subarray(at + HEADER, value), value: chunk.subarray(value, end), offset: offset + at });
        at = end;
      }
      if (at === 0) throw new Error("record larger than the chunk");
      for (let i = 0; i < records.length; i += BATCH) {
        const group = records.slice(i, i + BATCH);
        const current = await this.db.getMany(group.map(({ key }) => key));
        const live = group.flatMap((record, j): Item[] => {
          const row = current[j];
          if (row?.readUInt32LE(META) !== segment.id || row.readUInt32LE(META + 4) !== record.offset) return [];
          return [{ key: record.key, value: record.value, due: row.readUInt32LE(4) }];
        });
        const { rows } = await this.place(live);
        await this.commit((sink) => live.forEach(({ key }, j) => sink.put(key, found(rows[j]))));
        moved += live.reduce((sum, { value }) => sum + value.length, 0);
      }
    }
    return moved;
  }
}

function checked(record: Buffer, row: Buffer): Buffer {
  if (crc32(record.subarray(HEADER)) !== row.readUInt32LE(META + 12)) throw new Error("checksum mismatch");
  return record.subarray(HEADER + record.readUInt32LE(0));
}

/** The store of a layout, not yet open. */
export function storeFor(layout: Layout, directory: string): Store {
  mkdirSync(directory, { recursive: true });
  if (layout.placement === "inline") return new InlineStore(layout, directory);
  return layout.placement === "seq" ? new SequenceStore(layout, directory) : new SegmentStore(layout, directory);
}
