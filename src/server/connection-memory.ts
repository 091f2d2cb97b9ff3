import type { SlicedQueue } from '../sliced-queue.ts';

/** Milliseconds for which memory may be used up before those who stand still are closed. */
const PATIENCE_MS = 2000;
/** Bytes that a connection must have moved in that time, or else it stands still: a slow line moves ten times as many. */
const LEAST_MOVED = 32 * 1024;
/**
 * Milliseconds for which connections are closed, or let go on, in one turn of the event loop. To close one takes from 20 us to 1 ms, by
 * what the system has to throw away.
 */
const SLICE_MS = 1;
/** Connections let go on in one turn: how much room they take is not known before they have read. */
const WOKEN_AT_ONCE = 16;
/**
 * Share of the limit up to which a connection that waits is read from, and bounds of that. What V8 has not collected yet comes on top: with
 * `-m 64` and 256 KB, 50 clients that send 100 values of 100 KB each took up to 14 MB more than with 64, and their sets cost the same.
 */
const BACKLOG_SHARE = 1 / 256;
const BACKLOG_MIN = 64 * 1024;
const BACKLOG_MAX = 256 * 1024;
/** Milliseconds between two looks while it is short. */
const LOOK_MS = 100;

/** A connection, as far as its memory is concerned. */
export interface MemoryHolder {
  /** Bytes that it holds. */
  readonly heldBytes: number;
  /** A count of bytes received and taken that changes by as many as its client moves. */
  readonly movedBytes: number;
  /** True while it is not the client that holds it up. */
  readonly isHeldUp: boolean;
  /** Called when there is room again, for who waits for it. */
  roomMade(): void;
  /** Ends the connection and gives its bytes back at once. */
  evict(): void;
}

/** Memory of connections, for stats. */
export interface ConnectionMemoryStats {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** Connections that wait for room now. */
  readonly waiting: number;
  /** How often one had to wait, and how many were closed. */
  readonly waits: number;
  readonly closed: number;
}

/**
 * What all connections together hold of input that is not used yet and of replies that are not sent yet, and the limit
 * on it.
 *
 * From half the limit on (`isShort`) who has unsent replies executes nothing more, and who waits is not read from. At
 * the limit nothing large is begun: a large value is not fetched, a large data block not read on, as long as others hold
 * half the limit; whoever wants that waits. Small replies never wait, so clients with small requests notice nothing.
 * When that lasts for two seconds, connections whose clients have moved next to nothing meanwhile are closed, those that
 * hold most first, until half the limit is free.
 */
export class ConnectionMemory {
  readonly limit: number;
  /** Unread input above which a connection that waits is no longer read from. */
  readonly backlogBytes: number;
  readonly #holders: () => Iterable<MemoryHolder>;
  readonly #onClosed: (count: number) => void;
  readonly #nowMs: () => number;
  readonly #line: SlicedQueue;
  /** Who waits for room, first come first. */
  readonly #waiting = new Set<MemoryHolder>();
  #used = 0;
  #peak = 0;
  #waits = 0;
  #closed = 0;
  /** What each had moved when memory was last looked at as a whole, and when that was; undefined while there is room. */
  #seen: { readonly atMs: number; readonly moved: ReadonlyMap<MemoryHolder, number> } | undefined;
  #waking = false;
  #timer: NodeJS.Timeout | undefined;

  /** `onClosed` is told how many connections were closed at a time; `line` is where what takes long waits for its turn; `nowMs` is a clock that never goes back. */
  constructor(limit: number, holders: () => Iterable<MemoryHolder>, onClosed: (count: number) => void, line: SlicedQueue, nowMs: () => number = () => performance.now()) {
    this.limit = limit;
    this.backlogBytes = Math.min(BACKLOG_MAX, Math.max(BACKLOG_MIN, limit * BACKLOG_SHARE));
    this.#holders = holders;
    this.#onClosed = onClosed;
    this.#nowMs = nowMs;
    this.#line = line;
  }

  /** True when no more should be gathered. */
  get isShort(): boolean {
    return this.#used >= this.limit / 2;
  }

  /** True when who holds so many bytes may begin something large. */
  hasRoom(heldBytes: number): boolean {
    return this.#used < this.limit || this.#used - heldBytes < this.limit / 2;
  }

  stats(): ConnectionMemoryStats {
    return { limitBytes: this.limit, usedBytes: this.#used, peakBytes: this.#peak, waiting: this.#waiting.size, waits: this.#waits, closed: this.#closed };
  }

  /** Forgets peak and counts. */
  resetCounts(): void {
    this.#peak = this.#used;
    this.#waits = 0;
    this.#closed = 0;
  }

  /** Notes that a connection holds so many bytes more, or fewer. */
  change(bytes: number): void {
    this.#used += bytes;
    if (this.#used > this.#peak) this.#peak = this.#used;
    if (this.#used >= this.limit) this.#watch();
    else if (this.#waiting.size > 0) this.#wakeSoon();
  }

  /** Calls the connection back when there is room. */
  wait(holder: MemoryHolder): void {
    this.#waits++;
    this.#waiting.add(holder);
    this.#watch();
  }

  /** The connection does not wait any more. */
  leave(holder: MemoryHolder): void {
    this.#waiting.delete(holder);
  }

  /** Closes who stands still if it is time for that. Called every now and then while memory is used up. */
  look(): void {
    if (this.#waiting.size > 0) this.#wake();
    if (this.#used < this.limit && this.#waiting.size === 0) {
      this.#seen = undefined;
      this.stop();
      return;
    }
    const now = this.#nowMs();
    if (this.#seen !== undefined) {
      if (now - this.#seen.atMs < PATIENCE_MS) return;
      this.#evict(this.#seen.moved);
    }
    const moved = new Map<MemoryHolder, number>();
    for (const holder of this.#holders()) if (holder.heldBytes > 0) moved.set(holder, holder.movedBytes);
    this.#seen = { atMs: now, moved };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
    this.look();
  }

  #evict(moved: ReadonlyMap<MemoryHolder, number>): void {
    const still = [...this.#holders()].filter((holder) => {
      const before = moved.get(holder);
      return before !== undefined && holder.heldBytes > 0 && !holder.isHeldUp && Math.abs(holder.movedBytes - before) < LEAST_MOVED;
    });
    this.#closeNext(
      still.toSorted((a, b) => b.heldBytes - a.heldBytes),
      0,
    );
  }

  /** Closes connections, first come first, until half the limit is free; `before` = how many were closed already. */
  #closeNext(holders: readonly MemoryHolder[], before: number): void {
    let at = 0;
    let closed = before;
    const endsAt = this.#nowMs() + SLICE_MS;
    for (; at < holders.length && this.#used > this.limit / 2; at++) {
      if (at > 0 && this.#nowMs() >= endsAt) break;
      const holder = holders[at]!;
      if (holder.heldBytes === 0) continue;
      closed++;
      this.#closed++;
      this.#waiting.delete(holder);
      holder.evict();
    }
    if (at < holders.length && this.#used > this.limit / 2) this.#line.addBegun(() => this.#closeNext(holders.slice(at), closed));
    else if (closed > 0) this.#onClosed(closed);
  }

  #wakeSoon(): void {
    if (this.#waking) return;
    this.#waking = true;
    // Not within the step of who has just given room.
    this.#line.add(() => {
      this.#waking = false;
      this.#wake();
    });
  }

  /** Lets those go on who waited, in turn, as long as there is room; a few now, the others in the next turns. */
  #wake(): void {
    const endsAt = this.#nowMs() + SLICE_MS;
    let woken = 0;
    // Who has to wait again comes last.
    const waiting = [...this.#waiting];
    for (const holder of waiting) {
      if (!this.hasRoom(holder.heldBytes)) continue;
      if (woken === WOKEN_AT_ONCE || (woken > 0 && this.#nowMs() >= endsAt)) {
        this.#wakeSoon();
        return;
      }
      woken++;
      this.#waiting.delete(holder);
      holder.roomMade();
    }
  }
}
