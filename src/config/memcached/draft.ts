import { type Said, usageError } from '../resolve.ts';
import type { ServeOptions } from '../serve-options.ts';

/** What a command line of memcached's comes to, while it is read. */
export class Draft {
  /** In terms of `tugela-ts serve`. */
  readonly said: Map<string, Said> = new Map();
  /** Words of all `-l`. */
  readonly listen: string[] = [];
  /** One line each on what was understood otherwise than somebody may think. */
  readonly notices: string[] = [];
  /** Words of `-o` without effect, by the reason. */
  readonly ignored: Map<string, string[]> = new Map();
  /** `-p 0`. */
  withoutTcp = false;
  /** `-d`. */
  daemon = false;
  /** `-e`. */
  memoryFile: Said | undefined;
  /** Bytes of `-o ssl_wbuf_size`. */
  tlsWriteBuffer: number | undefined;

  /** Keeps what an option of `serve` is to be. The last time counts. */
  say(key: keyof ServeOptions, text: string, place: string): void {
    this.said.set(key, { text, place });
  }

  /** Keeps a word of `-o` for the notice about those without effect. */
  ignore(word: string, reason: string): void {
    this.ignored.set(reason, [...(this.ignored.get(reason) ?? []), word]);
  }

  /**
   * A number as memcached reads it: by its leading digits. What follows them is worth a notice, since `-m 1g` is 1;
   * no digits at all is an error, where memcached would read 0.
   */
  number(text: string, place: string): number {
    const match = /^\s*([+-]?\d{1,15})(.*)$/s.exec(text);
    if (match === null) throw usageError(`${place}: '${text}' is not a number`);
    const value = Number(match[1]);
    if (match[2] !== '') this.notices.push(`${place}: '${text}' is read as ${value}, as memcached reads it`);
    return value;
  }
}
