import type { Logger } from 'pino';
import { backOffMs } from './back-off.ts';
import type { Clock } from './clock.ts';
import { keyText } from './key-text.ts';
import { formatAddress, type Address } from './address.ts';
import { DEFAULT_LIMITS, LineClient, type LineClientLimits } from './line-client.ts';
import { LinkError, reasonOf } from './link-error.ts';
import type { Link } from './link.ts';
import { addReports, NOTHING_REAPED } from './reap-report.ts';
import { isEnd, isSingle, parseCompacted, parseDue, parseItems, parseKeys, parseReaped, parseState, parseStats } from './replies.ts';
import type { CompactReport, DueList, IndexState, ItemList, ListedItem, ListQuery, ReapReport, SweepTarget } from './target.ts';

/** Rows that one `expire reap` may name. */
const MAX_ROWS = 1024;

/** Bytes of one command line at most; the server takes 64 KiB, the words around keys are counted in. */
const MAX_COMMAND_BYTES = 32 * 1024 - 64;

/** Milliseconds within which a server that accepts a connection must say who it is. */
const HELLO_TIMEOUT_MS = 5_000;

/** Seconds by which two readings of a server's start may differ: `time` and `uptime` are both rounded. */
const START_TOLERANCE_SECONDS = 2;

export interface RemoteTargetOptions {
  readonly address: Address;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends everything: calls reject with `aborted`, no connection is made any more. */
  readonly signal: AbortSignal;
  /** From [0, 1); spreads the attempts of many daemons. */
  readonly random: () => number;
  /** Milliseconds that a call waits for a server that cannot be reached; Infinity = for ever. */
  readonly waitMs: number;
  readonly limits?: LineClientLimits;
}

interface ServerIdentity {
  readonly pid: string;
  readonly startedAt: number;
}

/**
 * A running server, reached over its memcached port.
 *
 * A call connects when there is no connection, again and again with growing pauses, for `waitMs` at
 * most. A call whose connection breaks under way rejects with `connection_lost` or `timeout` and is not
 * repeated here, because the caller may have to list anew. For the same reason `reap` and `remove`
 * work only over the connection on which their list was made: behind a new one there may be another
 * store, whose cas uniques mean something else.
 */
export class RemoteTarget implements SweepTarget, Link {
  readonly #options: RemoteTargetOptions;
  readonly #limits: LineClientLimits;
  #client: LineClient | undefined;
  #connecting: Promise<LineClient> | undefined;
  #listedOn: LineClient | undefined;
  #server: ServerIdentity | undefined;
  #attempt = 0;
  #connections = 0;
  #incarnation = 0;
  #reachable: boolean | undefined;
  #closed = false;

  constructor(options: RemoteTargetOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    options.signal.addEventListener('abort', () => this.#client?.close(aborted()), { once: true });
  }

  get reachable(): boolean {
    return this.#reachable === true;
  }

  get reconnects(): number {
    return Math.max(0, this.#connections - 1);
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  async state(): Promise<IndexState> {
    const client = await this.#connected();
    return parseState(await client.request('expire state', isEnd));
  }

  async due(limit: number, after?: string): Promise<DueList> {
    const client = await this.#connected();
    const list = parseDue(await client.request(`expire due ${limit}${after === undefined ? '' : ` ${after}`}`, isEnd));
    this.#listedOn = client;
    return list;
  }

  async keys(row: string): Promise<readonly Buffer[]> {
    const client = await this.#connected();
    return parseKeys(await client.request(`expire keys ${row}`, isEnd));
  }

  async reap(seen: string, rows: readonly string[]): Promise<ReapReport> {
    return await this.#delete(`expire reap ${seen}`, rows, MAX_ROWS);
  }

  async evict(bytes: number): Promise<ReapReport> {
    const client = await this.#connected();
    return parseReaped(await client.request(`expire evict ${bytes}`, isSingle));
  }

  async compact(): Promise<CompactReport> {
    const client = await this.#connected();
    return parseCompacted(await client.request('expire compact', isSingle));
  }

  async list(query: ListQuery): Promise<ItemList> {
    const client = await this.#connected();
    const prefix = query.prefix === undefined || query.prefix.length === 0 ? '' : ` ${keyText(query.prefix)}`;
    const command = `expire list ${query.limit} ${query.after ?? '-'} ${query.storedBefore ?? 0}${prefix}`;
    const list = parseItems(await client.request(command, isEnd));
    this.#listedOn = client;
    return list;
  }

  async remove(items: readonly ListedItem[]): Promise<ReapReport> {
    // A touch keeps the cas unique and changes the expiry, so the server compares both.
    const words = items.map((item) => `${keyText(item.key)} ${item.cas} ${item.expiresAt}`);
    return await this.#delete('expire remove', words, Number.POSITIVE_INFINITY);
  }

  async report(stats: ReadonlyMap<string, string>): Promise<void> {
    if (stats.size === 0) return;
    const client = await this.#connected();
    const words = [...stats].map(([name, value]) => `${name} ${value}`);
    await client.request(`expire report ${words.join(' ')}`, isSingle);
  }

  // eslint-disable-next-line typescript/require-await -- the contract is a promise; a socket ends at once
  async close(): Promise<void> {
    this.#closed = true;
    this.#client?.close();
  }

  /** Sends words in as few commands as their number and the line's length allow, and adds the reports. */
  async #delete(command: string, words: readonly string[], maxWords: number): Promise<ReapReport> {
    const client = this.#listedOn;
    if (client === undefined || client.closed) {
      throw new LinkError('connection_lost', 'The connection was lost since the list was made');
    }
    let total = NOTHING_REAPED;
    let line = command;
    let inLine = 0;
    const send = async (): Promise<void> => {
      if (inLine > 0) total = addReports(total, parseReaped(await client.request(line, isSingle)));
      line = command;
      inLine = 0;
    };
    for (const word of words) {
      if (inLine === maxWords || line.length + 1 + word.length > MAX_COMMAND_BYTES) await send();
      line += ` ${word}`;
      inLine++;
    }
    await send();
    return total;
  }

  async #connected(): Promise<LineClient> {
    if (this.#client !== undefined && !this.#client.closed) return this.#client;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return await this.#connecting;
  }

  async #connect(): Promise<LineClient> {
    const { clock, random, signal, waitMs } = this.#options;
    const giveUpAt = clock.nowMs() + waitMs;
    for (;;) {
      if (signal.aborted || this.#closed) throw aborted();
      const left = Math.max(1, giveUpAt - clock.nowMs());
      try {
        return await this.#connectOnce(left);
      } catch (error) {
        if (signal.aborted) throw aborted();
        if (!(error instanceof LinkError)) throw error;
        this.#lost(error);
        const leftNow = giveUpAt - clock.nowMs();
        if (leftNow <= 0) {
          const message = `Cannot reach the server at ${formatAddress(this.#options.address)}: ${reasonOf(error)}`;
          throw new LinkError('unreachable', message, { cause: error });
        }
        await clock.pause(Math.min(backOffMs(this.#attempt++, random()), leftNow), signal);
      }
    }
  }

  async #connectOnce(withinMs: number): Promise<LineClient> {
    const connectTimeoutMs = Math.min(this.#limits.connectTimeoutMs, withinMs);
    const client = await LineClient.connect(
      this.#options.address,
      { ...this.#limits, connectTimeoutMs },
      this.#options.signal,
      (reason) => {
        if (this.#client === client) this.#lost(reason);
      },
    );
    const onAbort = (): void => client.close(aborted());
    this.#options.signal.addEventListener('abort', onAbort, { once: true });
    try {
      const timeoutMs = Math.min(HELLO_TIMEOUT_MS, this.#limits.replyTimeoutMs, withinMs);
      this.#greeted(parseStats(await client.request('stats', isEnd, timeoutMs)));
    } catch (error) {
      client.close();
      throw error;
    } finally {
      this.#options.signal.removeEventListener('abort', onAbort);
    }
    this.#client = client;
    return client;
  }

  /** Notes which process answers: a restarted server is known by its pid or the time of its start. */
  #greeted(stats: ReadonlyMap<string, string>): void {
    const server = {
      pid: stats.get('pid') ?? '',
      startedAt: Number(stats.get('time') ?? Number.NaN) - Number(stats.get('uptime') ?? Number.NaN),
    };
    const known = this.#server;
    const isSame =
      known !== undefined &&
      known.pid === server.pid &&
      Math.abs(known.startedAt - server.startedAt) <= START_TOLERANCE_SECONDS;
    if (!isSame) this.#incarnation++;
    this.#server = server;
    this.#connections++;
    this.#attempt = 0;
    if (this.#reachable === false) {
      this.#options.logger.info({ server: formatAddress(this.#options.address), restarted: !isSame }, 'server reachable');
    }
    this.#reachable = true;
  }

  #lost(reason: LinkError): void {
    if (this.#closed || this.#options.signal.aborted) return;
    if (this.#reachable !== false) {
      this.#options.logger.warn(
        { server: formatAddress(this.#options.address), reason: reason.message },
        'server unreachable, trying again',
      );
    }
    this.#reachable = false;
  }
}

function aborted(): LinkError {
  return new LinkError('aborted', 'Stopped');
}
