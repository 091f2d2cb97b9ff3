import type { ControlMode } from '../config.ts';
import { decodeUriKey, encodeUriKey, encodeUriText } from '../protocol/uri-key.ts';
import type { PrefixJob } from '../upkeep/prefix-delete.ts';
import type { ListedItem, ReapReport, SweepTarget } from '../upkeep/sweep-target.ts';
import type { Answer } from './dialect.ts';
import type { Session } from './session.ts';

/** Entries or items that one command may ask for. */
const LIMIT_MAX = 10_000;
/** Index rows that one `expire reap` may name. */
const ROWS_MAX = 1024;

/** The reply to who may not send a control command. */
export const NOT_HERE = 'CLIENT_ERROR control commands are not accepted on this connection\r\n';

const USAGE =
  'CLIENT_ERROR usage: expire [state | due LIMIT [AFTER] | keys ROW | reap SEEN ROW... | evict BYTES | compact | list LIMIT AFTER|- BEFORE|0 [PREFIX] | remove KEY CAS EXPIRES ... | report NAME VALUE ... | delete PREFIX | jobs | hotkeys | dump [PREFIX]]\r\n';

/** What control commands do besides sweeping. */
export interface ControlTools {
  /** Begins to delete all items under a prefix, a latin1 string that is not empty; resolves with the job's number. */
  deletePrefix(prefix: string): Promise<number>;
  prefixJobs(): readonly PrefixJob[];
  /** The whole reply to `expire hotkeys`. */
  hotKeys(): string;
  /** The whole reply to `expire dump`: all items whose keys begin so (latin1). */
  dump(prefix: string): AsyncIterable<Buffer>;
}

/** The rule of `--control`: whether such a client may send control commands. */
export function mayControl(mode: ControlMode, { transport, isLocal }: Pick<Session, 'transport' | 'isLocal'>): boolean {
  // Where a datagram comes from can be forged.
  if (transport === 'udp') return false;
  return mode === 'any' || (mode === 'local' && isLocal);
}

/**
 * The control commands of the expiry daemon and of the tools: `expire` and its words (docs/protocol.md). They list keys and
 * cost work, so ordinary clients of a shared network must not have them: by default only connections from
 * this host may, over a loopback address or the unix socket.
 */
export class Control {
  readonly #mode: ControlMode;
  readonly #target: SweepTarget;
  readonly #startSweep: () => boolean;
  readonly #tools: ControlTools;

  /** `startSweep` starts a sweep inside the server; false = one is running. */
  constructor(mode: ControlMode, target: SweepTarget, startSweep: () => boolean, tools: ControlTools) {
    this.#mode = mode;
    this.#target = target;
    this.#startSweep = startSweep;
    this.#tools = tools;
  }

  /** True for a connection that may send control commands. */
  isAllowed(session: Session): boolean {
    return mayControl(this.#mode, session);
  }

  /** The whole reply to `expire WORD…`. */
  answer(words: readonly string[], session: Session): Answer {
    if (!this.isAllowed(session)) return NOT_HERE;
    return words[0] === 'dump' ? this.#dump(words.slice(1)) : this.#answerWords(words);
  }

  async #answerWords([verb, ...rest]: readonly string[]): Promise<string> {
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
      case 'evict':
        return this.#evict(rest);
      case 'compact':
        return rest.length === 0 ? this.#compact() : USAGE;
      case 'list':
        return this.#list(rest);
      case 'remove':
        return this.#remove(rest);
      case 'report':
        return this.#report(rest);
      case 'delete':
        return this.#deletePrefix(rest);
      case 'jobs':
        return rest.length === 0 ? this.#jobs() : USAGE;
      case 'hotkeys':
        return rest.length === 0 ? this.#tools.hotKeys() : USAGE;
      default:
        return USAGE;
    }
  }

  async #state(): Promise<string> {
    const state = await this.#target.state();
    return (
      `STAT entries ${state.entries}\r\nSTAT oldest_deadline ${state.oldestDeadline}\r\n` +
      `STAT now ${state.now}\r\nSTAT busy_ms ${Math.round(state.busyMs)}\r\nSTAT evict_bytes ${state.evictBytes ?? 0}\r\n` +
      `STAT live_bytes ${state.liveBytes ?? 0}\r\nSTAT dead_bytes ${state.deadBytes ?? 0}\r\nSTAT disk_bytes ${state.diskBytes ?? 0}\r\n` +
      `STAT compact_bytes ${state.compactBytes ?? 0}\r\nSTAT value_gc_bytes_given_back ${state.valueBytesGivenBack ?? 0}\r\nEND\r\n`
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

  async #evict([bytes, ...more]: string[]): Promise<string> {
    const count = wholeNumber(bytes, Number.MAX_SAFE_INTEGER);
    if (count === undefined || count === 0 || more.length > 0) return USAGE;
    return reaped((await this.#target.evict?.(count)) ?? { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 });
  }

  async #compact(): Promise<string> {
    const { runs, bytes } = (await this.#target.compact?.()) ?? { runs: 0, bytes: 0 };
    return `COMPACTED ${runs} ${bytes}\r\n`;
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

  #dump([prefix, ...more]: readonly string[]): Answer {
    const bytes = prefix === undefined ? Buffer.alloc(0) : decodeUriKey(prefix);
    if (bytes === undefined || more.length > 0) return USAGE;
    return this.#tools.dump(bytes.toString('latin1'));
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

  async #deletePrefix([prefix, ...more]: string[]): Promise<string> {
    // No prefix would be flush_all, which may be forbidden.
    const bytes = prefix === undefined ? undefined : decodeUriKey(prefix);
    if (bytes === undefined || more.length > 0) return USAGE;
    return `JOB ${await this.#tools.deletePrefix(bytes.toString('latin1'))}\r\n`;
  }

  #jobs(): string {
    const lines = this.#tools
      .prefixJobs()
      .map(({ number, prefix, deleted, bytes, state }) => `JOB ${number} ${encodeUriText(prefix)} ${deleted} ${bytes} ${state}\r\n`);
    return `${lines.join('')}END\r\n`;
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
