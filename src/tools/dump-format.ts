import { crc32 } from 'node:zlib';
import { BASE64_KEY, type Item, STALE, type U64, WIN_SENT } from '../item.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { crc32InSteps } from '../store/crc32-steps.ts';

/*
 * A dump (docs/operations.md):
 *
 *     dump := "tugela-ts dump 1" LF { item | lost } "END " items " " bytes LF
 *     item := "ITEM " key " " flags " " expiresAt " " storedAt " " cas " " chosen " " bits " " length " " crc LF value LF
 *     lost := "LOST " key LF
 *
 * Values are raw, so that text in them can be searched for and nothing is spent on encoding; the length says where
 * they end. crc is the CRC-32, in eight hexadecimal digits, of the line up to the blank before it, and the value.
 * A reader of version 1 must be able to read every dump of version 1: do not change.
 */

/** First line of a dump. */
export const DUMP_HEAD = 'tugela-ts dump 1';
/** What the first line of every version begins with. */
export const DUMP_NAME = 'tugela-ts dump ';

/** Bytes of a line at most: the longest key takes 750. */
export const DUMP_LINE_MAX = 1024;

/** Letters of an item's bits. */
export const BIT_LETTERS: readonly (readonly [number, string])[] = [
  [STALE, 's'],
  [WIN_SENT, 'w'],
  [BASE64_KEY, 'b'],
];

/** An item as a dump has it. */
export interface DumpItem {
  /** As a latin1 string. */
  readonly key: string;
  readonly flags: number;
  readonly expiresAt: number;
  readonly storedAt: number;
  readonly cas: number;
  readonly chosenCas: U64 | undefined;
  readonly bits: number;
  readonly value: Buffer;
  /** Line of the dump that it begins on. */
  readonly line: number;
}

/** Bytes collected before they are handed on. */
const CHUNK_BYTES = 256 * 1024;
/** Values from this size on are handed on as they are. */
const UNCOPIED_BYTES = 64 * 1024;

/** Writes a dump into buffers, each used once. */
export class DumpEncoder {
  #full: Buffer[] = [];
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #end = 0;
  items = 0;
  /** Of keys and values. */
  bytes = 0;
  lost = 0;

  head(): void {
    this.#text(`${DUMP_HEAD}\n`);
  }

  item(key: string, item: Item, value: Buffer): void {
    const line = this.#line(key, item, value.length);
    this.#value(key, value, crc32(value, crc32(line)));
  }

  /** The same in steps of the event loop, for a large value. Nothing else may be written before it resolves. */
  async largeItem(key: string, item: Item, value: Buffer): Promise<void> {
    const line = this.#line(key, item, value.length);
    this.#value(key, value, await crc32InSteps([value], crc32(line)));
  }

  /** Writes an item's line up to its crc, and returns it as a view. */
  #line(key: string, item: Item, length: number): Buffer {
    const bits = BIT_LETTERS.map(([bit, letter]) => ((item.bits & bit) === 0 ? '' : letter)).join('') || '-';
    this.#room(DUMP_LINE_MAX);
    const start = this.#end;
    this.#text(
      `ITEM ${encodeUriText(key)} ${item.flags} ${item.expiresAt} ${item.storedAt} ${item.cas} ${item.chosenCas ?? '-'} ${bits} ${length}`,
    );
    return this.#chunk.subarray(start, this.#end);
  }

  /** Ends the line, and writes the value. */
  #value(key: string, value: Buffer, crc: number): void {
    this.#text(` ${crc.toString(16).padStart(8, '0')}\n`);
    if (value.length < UNCOPIED_BYTES) {
      this.#room(value.length);
      this.#end += value.copy(this.#chunk, this.#end);
    } else {
      this.#flush();
      this.#full.push(value);
    }
    this.#text('\n');
    this.items++;
    this.bytes += key.length + value.length;
  }

  /** An item that is there but cannot be read. */
  lose(key: string): void {
    this.#text(`LOST ${encodeUriText(key)}\n`);
    this.lost++;
  }

  end(): void {
    this.#text(`END ${this.items} ${this.bytes}\n`);
    this.#flush();
  }

  /** Takes what is full. */
  take(): Buffer[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  #text(text: string): void {
    this.#room(text.length);
    this.#end += this.#chunk.write(text, this.#end, 'latin1');
  }

  #room(bytes: number): void {
    if (this.#end + bytes > this.#chunk.length) this.#flush();
  }

  #flush(): void {
    if (this.#end === 0) return;
    this.#full.push(this.#chunk.subarray(0, this.#end));
    // The rest of the chunk serves on: nobody else has a view of it.
    this.#chunk = this.#chunk.length - this.#end >= UNCOPIED_BYTES + DUMP_LINE_MAX ? this.#chunk.subarray(this.#end) : Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#end = 0;
  }
}
