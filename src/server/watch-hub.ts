import type { CacheObserver, LookupStatus, StoreStatus, StoreWord } from '../cache/observer.ts';
import {
  connectionCloseEvent,
  connectionNewEvent,
  deletedEvent,
  evictionEvent,
  itemGetEvent,
  itemStoreEvent,
  type LogCloseReason,
  logLine,
  skippedLine,
} from '../protocol/log-lines.ts';
import type { Session } from './session.ts';
import type { WatchStats } from './stats/stats-sources.ts';

/** What can be watched. Those from sysevents on never happen here: who watches them hears nothing. */
const WATCH_KINDS = [
  'fetchers',
  'mutations',
  'evictions',
  'connevents',
  'deletions',
  'sysevents',
  'rawcmds',
  'proxyreqs',
  'proxyevents',
  'proxyuser',
] as const;
export type WatchKind = (typeof WATCH_KINDS)[number];

/** Most watchers at once, as in memcached. */
const WATCHERS_MAX = 20;
/** Bytes kept free for the line that counts what was missed. */
const SKIPPED_LINE_BYTES = 32;

/** Who watches each kind of events that happen. */
type Audiences = Readonly<Record<'fetchers' | 'mutations' | 'evictions' | 'connevents' | 'deletions', readonly Watcher[]>>;

interface Watcher {
  readonly session: Session;
  readonly kinds: ReadonlySet<WatchKind>;
  /** Lines that are not given to the socket yet, and their bytes. */
  lines: string[];
  bytes: number;
  /** Lines missed since the last that was sent. */
  skipped: number;
}

export interface WatchOptions {
  /** Bytes of lines that may wait for one watcher; more are left out. */
  readonly bufferBytes: number;
  /** Unix time in milliseconds, with fractions. */
  readonly nowMs?: () => number;
  /** Calls back once lines have been gathered for long enough. */
  readonly later?: (run: () => void) => void;
}

/**
 * Milliseconds for which lines are gathered: the kernel counts a socket's buffer in writes of at least a kilobyte or so
 * each, and single lines would fill it with a few of them.
 */
const GATHER_MS = 10;

function afterGathering(run: () => void): void {
  setTimeout(run, GATHER_MS).unref();
}

/** Reads the words after `watch`. None = fetchers; undefined = one is unknown. */
export function parseWatchWords(words: readonly string[]): ReadonlySet<WatchKind> | undefined {
  if (words.length === 0) return new Set<WatchKind>(['fetchers']);
  const kinds = new Set<WatchKind>();
  for (const word of words) {
    const kind = WATCH_KINDS.find((name) => name === word);
    if (kind === undefined) return undefined;
    kinds.add(kind);
  }
  return kinds;
}

/**
 * Tells watchers what happens (`watch` in protocol.txt), a line for each event. Lines are gathered for a moment
 * and handed over together. For a watcher that reads too slowly lines are left out, and a line with their number follows
 * as soon as there is room; so its memory is bounded, and nobody ever waits for it.
 *
 * The cache is observed only while there is somebody to tell.
 */
export class WatchHub implements CacheObserver {
  /** Number of the connection whose commands are being executed. */
  current = 0;
  readonly #cache: { observer: CacheObserver | undefined };
  readonly #bufferBytes: number;
  readonly #nowMs: () => number;
  readonly #later: (run: () => void) => void;
  readonly #watchers = new Map<Session, Watcher>();
  #audiences: Audiences = audiencesOf([]);
  #gid = 0;
  #isFlushDue = false;
  #written = 0;
  #skipped = 0;
  #sent = 0;

  constructor(cache: { observer: CacheObserver | undefined }, { bufferBytes, nowMs = Date.now, later = afterGathering }: WatchOptions) {
    this.#cache = cache;
    this.#bufferBytes = bufferBytes;
    this.#nowMs = nowMs;
    this.#later = later;
  }

  /** Makes a connection a watcher, until it is removed. */
  add(session: Session, kinds: ReadonlySet<WatchKind>): 'ok' | 'too_many' {
    if (this.#watchers.size >= WATCHERS_MAX) return 'too_many';
    this.#watchers.set(session, { session, kinds, lines: [], bytes: 0, skipped: 0 });
    this.#settle();
    return 'ok';
  }

  /** A connection is over. Not an error when it never watched. */
  remove(session: Session): void {
    if (this.#watchers.delete(session)) this.#settle();
  }

  looked(bytes: Buffer, start: number, end: number, status: LookupStatus, size: number): void {
    const { fetchers } = this.#audiences;
    if (fetchers.length > 0) this.#tell(fetchers, itemGetEvent(bytes, start, end, status, this.current, size));
  }

  stored(bytes: Buffer, start: number, end: number, status: StoreStatus, cmd: StoreWord, ttl: number, size: number): void {
    const { mutations } = this.#audiences;
    if (mutations.length > 0) this.#tell(mutations, itemStoreEvent(bytes, start, end, status, cmd, ttl, this.current, size));
  }

  deleted(bytes: Buffer, start: number, end: number, cmd: 'delete' | 'md', size: number): void {
    const { deletions } = this.#audiences;
    if (deletions.length > 0) this.#tell(deletions, deletedEvent(bytes, start, end, cmd, size));
  }

  /** An item made room for others. `ttl` = seconds to live, -1 = for ever; `idle` = seconds since its last access. */
  evicted(bytes: Buffer, start: number, end: number, isFetched: boolean, ttl: number, idle: number, size: number): void {
    const { evictions } = this.#audiences;
    if (evictions.length > 0) this.#tell(evictions, evictionEvent(bytes, start, end, isFetched, ttl, idle, size));
  }

  connected(session: Session): void {
    const { connevents } = this.#audiences;
    if (connevents.length > 0) this.#tell(connevents, connectionNewEvent(session));
  }

  disconnected(session: Session, reason: LogCloseReason): void {
    const { connevents } = this.#audiences;
    if (connevents.length > 0) this.#tell(connevents, connectionCloseEvent(session, reason));
  }

  /** Lines made, lines that watchers missed and got, and how many watch now. A line that is made is never dropped for all. */
  stats(): WatchStats {
    return { written: this.#written, dropped: 0, skipped: this.#skipped, sent: this.#sent, watchers: this.#watchers.size };
  }

  /** Zeroes what is counted, for stats reset. */
  resetCounts(): void {
    this.#written = 0;
    this.#skipped = 0;
    this.#sent = 0;
  }

  /** Takes over a change of who watches what. */
  #settle(): void {
    const audiences = audiencesOf([...this.#watchers.values()]);
    this.#audiences = audiences;
    const isCacheWatched = audiences.fetchers.length + audiences.mutations.length + audiences.deletions.length > 0;
    this.#cache.observer = isCacheWatched ? this : undefined;
  }

  #tell(audience: readonly Watcher[], event: string): void {
    const line = logLine(this.#nowMs(), ++this.#gid, event);
    this.#written++;
    for (const watcher of audience) this.#give(watcher, line);
    this.#flushLater();
  }

  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#later(() => {
      this.#isFlushDue = false;
      let isBehind = false;
      for (const watcher of this.#watchers.values()) {
        if (watcher.skipped > 0 && this.#hasRoom(watcher, '')) tellSkipped(watcher);
        flush(watcher);
        isBehind ||= watcher.skipped > 0;
      }
      // Its client may be waiting to hear how much it missed.
      if (isBehind) this.#flushLater();
    });
  }

  #give(watcher: Watcher, line: string): void {
    // What is made in so short a time may exceed the buffer though the socket would take it.
    if (!this.#hasRoom(watcher, line)) flush(watcher);
    if (!this.#hasRoom(watcher, line)) {
      watcher.skipped++;
      this.#skipped++;
      return;
    }
    if (watcher.skipped > 0) tellSkipped(watcher);
    append(watcher, line);
    this.#sent++;
  }

  #hasRoom({ session, bytes, skipped }: Watcher, line: string): boolean {
    const waiting = session.unsentBytes + bytes;
    const needed = line.length + SKIPPED_LINE_BYTES;
    // After a gap half of the buffer must be free, or a watcher that is a little too slow would get more gaps than lines.
    const limit = skipped > 0 ? this.#bufferBytes / 2 : this.#bufferBytes;
    return waiting === 0 || waiting + needed <= limit;
  }
}

function audiencesOf(watchers: readonly Watcher[]): Audiences {
  const of = (kind: WatchKind): Watcher[] => watchers.filter(({ kinds }) => kinds.has(kind));
  return {
    fetchers: of('fetchers'),
    mutations: of('mutations'),
    evictions: of('evictions'),
    connevents: of('connevents'),
    deletions: of('deletions'),
  };
}

function tellSkipped(watcher: Watcher): void {
  append(watcher, skippedLine(watcher.skipped));
  watcher.skipped = 0;
}

function append(watcher: Watcher, line: string): void {
  watcher.lines.push(line);
  watcher.bytes += line.length;
}

function flush(watcher: Watcher): void {
  if (watcher.lines.length === 0) return;
  const bytes = Buffer.from(watcher.lines.join(''), 'latin1');
  watcher.lines = [];
  watcher.bytes = 0;
  watcher.session.push(bytes);
}
