import type { ControlMode } from '../config.ts';
import { decodeUriKey, encodeUriKey } from '../protocol/uri-key.ts';
import type { ListedItem, ReapReport, SweepTarget } from '../upkeep/sweep-target.ts';
import type { Session } from './session.ts';

/** Entries or items that one command may ask for. */
const LIMIT_MAX = 10_000;
/** Index rows that one `expire reap` may name. */
const ROWS_MAX = 64;

const USAGE =
  'CLIENT_ERROR usage: expire [state | due LIMIT [AFTER] | keys ROW | reap SEEN ROW... | list LIMIT AFTER|- BEFORE|0 [PREFIX] | remove KEY CAS EXPIRES ... | report NAME VALUE ...]\r\n';

/**
 * The control commands of the expiry daemon: `expire` and its words (docs/protocol.md). They list keys and
 * cost work, so ordinary clients of a shared network must not have them: by default only connections from
 * this host may, over a loopback address or the unix socket.
 */
export class Control {
  readonly #mode: ControlMode;
  readonly #target: SweepTarget;
  readonly #startSweep: () => boolean;

  /** `startSweep` starts a sweep inside the server; false = one is running. */
  constructor(mode: ControlMode, target: SweepTarget, startSweep: () => boolean) {
    this.#mode = mode;
    this.#target = target;
    this.#startSweep = startSweep;
  }

  /** True for a connection that may send control commands. */
  isAllowed(session: Session): boolean {
    // Where a datagram comes from can be forged.
    if (session.transport === 'udp') return false;
    return this.#mode === 'any' || (this.#mode === 'local' && session.isLocal);
  }

  /** The whole reply to `expire WORD…`. */
  async answer(words: readonly string[], session: Session): Promise<string> {
    if (!this.isAllowed(session)) {
      return 'CLIENT_ERROR control commands are not accepted on this connection\r\n';
    }
    const [verb, ...rest] = words;
    switch (verb) {
      case undefined:
        return this.#startSweep() ? 'OK\r\n' : 'ERROR expire in progress\r\n';
      case 'state':
        return rest.length === 0 ? this.#state() : USAGE;
      case 'due':
        return this.#due(rest);
      case 'keys':
        return this.#keys(rest);
      case 'reap':
        return this.#reap(rest);
      case 'list':
        return this.#list(rest);
      case 'remove':
        return this.#remove(rest);
      case 'report':
        return this.#report(rest);
      default:
        return USAGE;
    }
  }

  async #state(): Promise<string> {
    const state = await this.#target.state();
    return (
      `STAT entries ${state.entries}\r\nSTAT oldest_deadline ${state.oldestDeadline}\r\n` +
      `STAT now ${state.now}\r\nSTAT busy_ms ${Math.round(state.busyMs)}\r\nEND\r\n`
    );
  }

  async #due([limit, after, ...more]: string[]): Promise<string> {
    const count = wholeNumber(limit, LIMIT_MAX);
    if (count === undefined || count === 0 || more.length > 0 || (after !== undefined && !isRow(after))) return USAGE;
    const { rows, seen, next } = await this.#target.due(count, after);
    return `${rows.map((row) => `ROW ${row.id} ${row.deadline} ${row.entries}\r\n`).join('')}END ${seen} ${next ?? '-'}\r\n`;
  }

  async #keys([row, ...more]: string[]): Promise<string> {
    if (row === undefined || more.length > 0 || !isRow(row)) return USAGE;
    const keys = await this.#target.keys(row);
    return `${keys.map((key) => `KEY ${encodeUriKey(key, 0, key.length)}\r\n`).join('')}END\r\n`;
  }

  async #reap([seen, ...rows]: string[]): Promise<string> {
    const cas = wholeNumber(seen, Number.MAX_SAFE_INTEGER);
    if (cas === undefined || rows.length === 0 || rows.length > ROWS_MAX || !rows.every(isRow)) return USAGE;
    return reaped(await this.#target.reap(String(cas), rows));
  }

  async #list([limit, after, before, prefix, ...more]: string[]): Promise<string> {
    const count = wholeNumber(limit, LIMIT_MAX);
    const storedBefore = wholeNumber(before, 0xffffffff);
    const bytes = prefix === undefined ? undefined : decodeUriKey(prefix);
    if (count === undefined || count === 0 || storedBefore === undefined || more.length > 0) return USAGE;
    if (after === undefined || !(after === '-' || /^([0-9a-f]{2})+$/.test(after))) return USAGE;
    if (prefix !== undefined && bytes === undefined) return USAGE;
    const { items, next } = await this.#target.list({
      limit: count,
      after: after === '-' ? undefined : after,
      storedBefore: storedBefore === 0 ? undefined : storedBefore,
      prefix: bytes,
    });
    const lines = items.map(
      (item) => `ITEM ${encodeUriKey(item.key, 0, item.key.length)} ${item.cas} ${item.expiresAt} ${item.storedAt} ${item.length}\r\n`,
    );
    return `${lines.join('')}END ${next ?? '-'}\r\n`;
  }

  async #remove(words: string[]): Promise<string> {
    if (words.length === 0 || words.length % 3 !== 0) return USAGE;
    const items: ListedItem[] = [];
    for (let i = 0; i < words.length; i += 3) {
      const key = decodeUriKey(words[i]!);
      const cas = wholeNumber(words[i + 1], Number.MAX_SAFE_INTEGER);
      const expiresAt = wholeNumber(words[i + 2], 0xffffffff);
      if (key === undefined || cas === undefined || expiresAt === undefined) return USAGE;
      items.push({ key, cas: String(cas), expiresAt, storedAt: 0, length: 0 });
    }
    return reaped(await this.#target.remove(items));
  }

  async #report(words: string[]): Promise<string> {
    if (words.length === 0 || words.length % 2 !== 0 || words.length > 128) return USAGE;
    const stats = new Map<string, string>();
    for (let i = 0; i < words.length; i += 2) {
      if (!/^[\w.-]{1,64}$/.test(words[i]!) || !/^[\w.:-]{1,64}$/.test(words[i + 1]!)) return USAGE;
      stats.set(words[i]!, words[i + 1]!);
    }
    await this.#target.report(stats);
    return 'OK\r\n';
  }
}

function reaped({ scanned, deleted, bytes, stale, changed }: ReapReport): string {
  return `REAPED ${scanned} ${deleted} ${bytes} ${stale} ${changed}\r\n`;
}

/** Row ids are row keys in hexadecimal, see store/due-row.ts. */
function isRow(word: string): boolean {
  return /^[0-9a-f]{26}$/.test(word);
}

function wholeNumber(word: string | undefined, most: number): number | undefined {
  if (word === undefined || !/^\d{1,16}$/.test(word)) return undefined;
  const number = Number(word);
  return number <= most ? number : undefined;
}
