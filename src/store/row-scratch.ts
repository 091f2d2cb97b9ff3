/** Where the value of a row is built, behind the longest key. */
const ROW_AT = 256;
/** Views of parts up to this long are kept: making one costs more than what is written into it. */
const KEPT_VIEWS = 512;

/** Memory in which one row after the other is built: LevelDB copies what it is given at once. */
export class RowScratch {
  #bytes = Buffer.allocUnsafe(4096);
  readonly #keys: Buffer[] = [];
  readonly #rows: Buffer[] = [];

  /** Room for a key of so many bytes, at most 256. */
  key(length: number): Buffer {
    return (this.#keys[length] ??= this.#bytes.subarray(0, length));
  }

  /** Room for the value of a row, beside the key. To be asked for first: a long one moves both. */
  row(length: number): Buffer {
    if (ROW_AT + length > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafe((ROW_AT + length) * 2);
      this.#keys.length = 0;
      this.#rows.length = 0;
    }
    if (length > KEPT_VIEWS) return this.#bytes.subarray(ROW_AT, ROW_AT + length);
    return (this.#rows[length] ??= this.#bytes.subarray(ROW_AT, ROW_AT + length));
  }
}
