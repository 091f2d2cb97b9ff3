import { StepReplies } from './replies.ts';

const LF = 0x0a;

/** Sent behind every step of a text connection. */
export const TEXT_MARKER: Buffer = Buffer.from('mn\r\n');
const MARKER_REPLY = 'MN\r\n';

/** A time to live in a reply is of one tick or the next; all that sequences set are multiples of this, or nearly so. */
const TTL_GRAIN = 100;
const REALTIME_MAXDELTA = 60 * 60 * 24 * 30;

/** From here on a time to live is a negative one, unsigned: the process has not run for longer. */
const PAST = 2 ** 32 - 1_000_000;
/** From here on memcached's me, which prints signed numbers, is unsure. */
const FAR = 2 ** 30;

/** Replies of the text protocol. Values are skipped by their length: nothing in them is taken for a line. */
export class TextReplies extends StepReplies {
  protected override take(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    if (lineFeed < 0) return at;
    const next = lineFeed + 1;
    const line = bytes.toString('latin1', at, next);
    if (line === MARKER_REPLY) {
      this.marker(line);
      return next;
    }
    // The last words, not the second: some keys look odd.
    const value = /^VALUE (.+?) (\d+) (\d+)( \d+)?\r\n$/s.exec(line);
    if (value !== null) {
      const [, key = '', flags, length, cas] = value;
      const shown = cas === undefined ? '' : ` ${this.shownCas(key, cas.trim())}`;
      return this.#takeValue(bytes, at, next, Number(length), `VALUE ${key} ${flags} ${length}${shown}\r\n`);
    }
    const metaValue = /^VA (\d+)(?: .*)?\r\n$/s.exec(line);
    if (metaValue !== null) return this.#takeValue(bytes, at, next, Number(metaValue[1]), line);
    this.reply(this.#shownLine(line));
    return next;
  }

  #takeValue(bytes: Buffer, at: number, start: number, length: number, line: string): number {
    const end = start + length + 2;
    if (end > bytes.length) return at;
    this.reply((line.startsWith('VA ') ? this.#shownLine(line) : line) + bytes.toString('latin1', start, end));
    return end;
  }

  /** A line with what hangs on the server or the clock replaced (differences.ts, `shownAlike`). */
  #shownLine(line: string): string {
    if (line.startsWith('ME ')) {
      return line
        .replace(/^ME \S+ /, `ME ${this.step?.key} `)
        .replace(/ exp=-?(\d{2,}) /, (_, ttl: string) => ` exp=${Number(ttl) >= FAR ? 'far' : shownTtl(ttl)} `)
        .replace(/ la=\d+ /, ' la=? ')
        .replace(/ cas=(\d+) /, (_, cas: string) => ` cas=${this.shownCas(this.step?.key, cas)} `)
        .replace(/ cls=\d+ /, ' cls=? ');
    }
    if (!/^(HD|VA|EN|NF|NS|EX)\b/.test(line)) return line;
    const { key = '', base64Key } = this.step ?? {};
    const encoded = ` k${base64Key ?? Buffer.from(key, 'latin1').toString('base64')} b`;
    const withKey = base64Key === undefined ? line.replace(encoded, ` k${key}`) : line.replace(` k${key}`, encoded);
    return withKey
      .replace(/ c(\d+)(?=[ \r])/, (_, cas: string) => ` c${this.shownCas(key, cas)}`)
      .replace(/ l\d+(?=[ \r])/, ' l?')
      .replace(/ t(\d+)(?=[ \r])/, (_, ttl: string) => ` t${shownTtl(ttl)}`);
  }
}

function shownTtl(text: string): string {
  const ttl = Number(text);
  if (ttl >= PAST) return '0';
  if (ttl <= REALTIME_MAXDELTA) return String(Math.ceil(ttl / TTL_GRAIN) * TTL_GRAIN);
  return `@${Math.round((Date.now() / 1000 + ttl) / TTL_GRAIN) * TTL_GRAIN}`;
}
