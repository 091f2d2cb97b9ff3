const LF = 0x0a;

/** The reply to the marker that the player sends behind every step. */
export const MARKER_REPLY = 'MN\r\n';

/**
 * Gathers what a server sends, and cuts it at the replies to the markers, so that each step of a sequence has its
 * replies. Values are skipped by their length: nothing in them is taken for a line.
 *
 * A cas unique is replaced by `#N`, N being its rank of appearance, since servers count them differently.
 */
export class ReplyReader {
  readonly #ranks: Map<string, number>;
  readonly #lastCas: Map<string, string>;
  readonly #firstCas: Map<string, string>;
  #rest = Buffer.alloc(0);
  #current: string[] = [];
  /** Finished steps: their replies, as Latin-1 text. */
  readonly steps: string[] = [];

  constructor(memory: CasMemory) {
    this.#ranks = memory.ranks;
    this.#lastCas = memory.last;
    this.#firstCas = memory.first;
  }

  /** Replies behind the last marker, the incomplete ones included. */
  get unfinished(): string {
    return this.#current.join('') + this.#rest.toString('latin1');
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const lineFeed = bytes.indexOf(LF, at);
      if (lineFeed < 0) break;
      const line = bytes.toString('latin1', at, lineFeed + 1);
      // The last words, not the second: some keys look odd.
      const value = /^VALUE (.+?) (\d+) (\d+)( \d+)?\r\n$/s.exec(line);
      if (value === null) {
        at = lineFeed + 1;
        this.#take(line);
        continue;
      }
      const end = lineFeed + 1 + Number(value[3]) + 2;
      if (end > bytes.length) break;
      const [, key = '', flags, length, cas] = value;
      const shown = cas === undefined ? '' : ` #${this.#rankOf(key, cas.trim())}`;
      this.#current.push(`VALUE ${key} ${flags} ${length}${shown}\r\n${bytes.toString('latin1', lineFeed + 1, end)}`);
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  #take(line: string): void {
    if (line !== MARKER_REPLY) {
      this.#current.push(line);
      return;
    }
    this.steps.push(this.#current.join(''));
    this.#current = [];
  }

  #rankOf(key: string, cas: string): number {
    if (!this.#firstCas.has(key)) this.#firstCas.set(key, cas);
    this.#lastCas.set(key, cas);
    const known = this.#ranks.get(cas);
    if (known !== undefined) return known;
    this.#ranks.set(cas, this.#ranks.size);
    return this.#ranks.size - 1;
  }
}

/** The cas uniques that one server has shown in the course of a sequence. */
export class CasMemory {
  readonly ranks: Map<string, number> = new Map();
  readonly last: Map<string, string> = new Map();
  readonly first: Map<string, string> = new Map();
}
